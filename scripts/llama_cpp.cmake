# Included by CMake when it begins with llama-cpp-python (CMAKE_PROJECT_llama_cpp_INCLUDE): leaves out what is compiled and
# never loaded. A plain variable, since llama-cpp-python forces the cached one; it goes before that (policy CMP0126).
set(LLAMA_BUILD_COMMON OFF)

# llama.cpp's code for Intel's AMX (servers since 2023) ends with an illegal instruction, at the first large product: the
# compiler takes the stores of its tile configuration for dead ones and leaves them out (llama.cpp pull request 26954, open;
# seen with GCC 12). So all is compiled as for a processor without, also where -march=native follows. Where the options are not
# known, by other compilers and for other processors, they are not needed.
include(CheckCXXCompilerFlag)
foreach(part tile int8 bf16)
    check_cxx_compiler_flag(-mno-amx-${part} LOCALDISTILL_KNOWS_AMX_${part})
    if(LOCALDISTILL_KNOWS_AMX_${part})
        add_compile_options($<$<COMPILE_LANGUAGE:C,CXX>:-mno-amx-${part}>)
    endif()
endforeach()
