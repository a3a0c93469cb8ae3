# Included by CMake when it begins with llama-cpp-python (CMAKE_PROJECT_llama_cpp_INCLUDE): leaves out what is compiled and
# never loaded. A plain variable, since llama-cpp-python forces the cached one; it goes before that (policy CMP0126).
set(LLAMA_BUILD_COMMON OFF)

include("${CMAKE_CURRENT_LIST_DIR}/without_amx.cmake")
