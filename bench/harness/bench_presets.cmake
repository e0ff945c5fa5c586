# Writes OUTPUT, a C file with the text of each of FILES (separated by commas) as bench_presets.h has
# it. As numbers: a string literal of C may be too long.
string(REPLACE "," ";" files "${FILES}")
set(arrays "")
set(table "")
set(i 0)
foreach(file IN LISTS files)
    get_filename_component(name "${file}" NAME_WE)
    file(READ "${file}" text HEX)
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," text "${text}")
    string(REGEX REPLACE "(................................................................................)"
           "\\1\n" text "${text}")
    string(APPEND arrays "static const char text_${i}[] = {\n${text}0};\n")
    string(APPEND table "    {\"${name}\", text_${i}},\n")
    math(EXPR i "${i} + 1")
endforeach()
file(WRITE "${OUTPUT}"
     "#include \"bench_presets.h\"\n\n${arrays}\n"
     "const bench_preset bench_presets[] = {\n${table}    {0, 0},\n};\n")
