# Makes a C source that holds a file: cmake -DSOURCE=… -DTARGET=… -DSYMBOL=… -P embed.cmake
file(READ ${SOURCE} text HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${text}")
string(REGEX REPLACE "(0x[0-9a-f][0-9a-f],0x[0-9a-f][0-9a-f],0x[0-9a-f][0-9a-f],0x[0-9a-f][0-9a-f],)" "\\1\n" bytes "${bytes}")
file(WRITE ${TARGET}
    "#include \"base/bytes.h\"\n\nextern const struct bytes ${SYMBOL};\n"
    "static const uint8_t data[] = {\n${bytes}\n};\n"
    "const struct bytes ${SYMBOL} = {.data = data, .size = sizeof(data)};\n")
