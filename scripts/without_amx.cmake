# llama.cpp's code for Intel's AMX (servers since 2023) ends with an illegal instruction, at the first large product: the
# compiler takes the stores of its tile configuration for dead ones and leaves them out (llama.cpp pull request 26954, open;
# seen with GCC 12). So all is compiled as for a processor without, also where -march=native follows. Where the options are not
# known, by other compilers and for other processors, they are not needed.
include(CheckCCompilerFlag)
include(CheckCXXCompilerFlag)
foreach(part tile int8 bf16)
    check_c_compiler_flag(-mno-amx-${part} LOCALDISTILL_C_KNOWS_AMX_${part})
    if(LOCALDISTILL_C_KNOWS_AMX_${part})
        add_compile_options($<$<COMPILE_LANGUAGE:C>:-mno-amx-${part}>)
    endif()
    check_cxx_compiler_flag(-mno-amx-${part} LOCALDISTILL_CXX_KNOWS_AMX_${part})
    if(LOCALDISTILL_CXX_KNOWS_AMX_${part})
        add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-mno-amx-${part}>)
    endif()
endforeach()
