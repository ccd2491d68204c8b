# What every target has in common, and the functions that the layers are described with.

set(CMAKE_C_STANDARD 17)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

option(JINGU_WERROR "Warnings are errors" ON)
option(JINGU_SLOW_ASSERTIONS "Assertions that cost more than O(1)" OFF)
option(JINGU_FUZZ "Build the fuzz targets instead of the tests (clang)" OFF)
option(JINGU_LTO "Link-time optimisation" OFF)
set(JINGU_SANITIZE "" CACHE STRING "Sanitizers, as for -fsanitize=")

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

add_library(jingu_flags INTERFACE)
target_include_directories(jingu_flags INTERFACE ${CMAKE_SOURCE_DIR}/src)
target_compile_definitions(jingu_flags INTERFACE _GNU_SOURCE JINGU_VERSION="${PROJECT_VERSION}")
target_compile_options(jingu_flags INTERFACE
    -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wcast-qual -Wcast-align
    -Wformat=2 -Wundef -Wvla -Wstrict-prototypes -Wold-style-definition -Wmissing-prototypes
    -Wpointer-arith -Wwrite-strings -Wswitch-enum -Wimplicit-fallthrough -Wdouble-promotion
    -fno-common -fstack-protector-strong -fno-omit-frame-pointer)
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
    target_compile_options(jingu_flags INTERFACE
        -Wduplicated-cond -Wduplicated-branches -Wlogical-op -Wjump-misses-init)
endif()
if(JINGU_WERROR)
    target_compile_options(jingu_flags INTERFACE -Werror)
endif()
if(JINGU_SLOW_ASSERTIONS)
    # And the door through which the refusal sweep makes charges fail (memory/budget.c).
    target_compile_definitions(jingu_flags INTERFACE JINGU_SLOW_ASSERTIONS JINGU_FAULTS)
endif()
if(JINGU_SANITIZE)
    target_compile_options(jingu_flags INTERFACE -fsanitize=${JINGU_SANITIZE} -fno-sanitize-recover=all)
    target_link_options(jingu_flags INTERFACE -fsanitize=${JINGU_SANITIZE})
else()
    target_link_options(jingu_flags INTERFACE -Wl,-z,relro,-z,now)
    if(CMAKE_BUILD_TYPE STREQUAL "Release")
        target_compile_definitions(jingu_flags INTERFACE _FORTIFY_SOURCE=2)
    endif()
endif()
if(JINGU_LTO)
    target_compile_options(jingu_flags INTERFACE -flto=auto)
    target_link_options(jingu_flags INTERFACE -flto=auto -fuse-linker-plugin)
endif()

# jingu_layer(memory SOURCES budget.c … NEEDS base … LIBRARIES ssl …): one layer of src/.
function(jingu_layer name)
    cmake_parse_arguments(LAYER "" "" "SOURCES;NEEDS;LIBRARIES" ${ARGN})
    if(LAYER_SOURCES)
        add_library(${name} STATIC ${LAYER_SOURCES})
        set(scope PUBLIC)
    else()
        add_library(${name} INTERFACE)
        set(scope INTERFACE)
    endif()
    target_link_libraries(${name} ${scope} jingu_flags ${LAYER_NEEDS} ${LAYER_LIBRARIES})
endfunction()

# jingu_embed(edge docs.html SYMBOL docs_page): the target gets the file's bytes as `const struct bytes docs_page`.
function(jingu_embed target file)
    cmake_parse_arguments(EMBED "" "SYMBOL" "" ${ARGN})
    set(source ${CMAKE_CURRENT_SOURCE_DIR}/${file})
    set(made ${CMAKE_CURRENT_BINARY_DIR}/${EMBED_SYMBOL}.c)
    set(script ${CMAKE_SOURCE_DIR}/cmake/embed.cmake)
    add_custom_command(OUTPUT ${made} DEPENDS ${source} ${script} VERBATIM
        COMMAND ${CMAKE_COMMAND} -DSOURCE=${source} -DTARGET=${made} -DSYMBOL=${EMBED_SYMBOL} -P ${script})
    target_sources(${target} PRIVATE ${made})
endfunction()

# jingu_test(wire/test_packet NEEDS wire …): tests/unit/wire/test_packet.c, run by ctest.
function(jingu_test path)
    cmake_parse_arguments(TEST "" "" "NEEDS" ${ARGN})
    string(REPLACE "/" "_" target ${path})
    get_filename_component(layer ${path} DIRECTORY)
    add_executable(${target} ${CMAKE_SOURCE_DIR}/tests/unit/${path}.c)
    target_include_directories(${target} PRIVATE ${CMAKE_SOURCE_DIR}/tests)
    target_link_libraries(${target} PRIVATE test_support ${TEST_NEEDS})
    add_test(NAME ${path} COMMAND ${target} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
    set_tests_properties(${path} PROPERTIES LABELS "${layer}" TIMEOUT 600)
endfunction()

# jingu_fuzz(packet NEEDS wire …): tests/fuzz/fuzz_packet.c with its corpus in tests/fuzz/corpus/packet.
function(jingu_fuzz name)
    cmake_parse_arguments(FUZZ "" "" "NEEDS" ${ARGN})
    add_executable(fuzz_${name} ${CMAKE_SOURCE_DIR}/tests/fuzz/fuzz_${name}.c)
    target_link_libraries(fuzz_${name} PRIVATE ${FUZZ_NEEDS})
    target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
endfunction()
