/*
 * commands.h -- what the one binary can do: `jingu COMMAND ARGS…`.
 *
 * The cli layer is above all: it reads the command line, and each command is a
 * function that returns the exit status.
 */
#pragma once

int command_serve(int argc, char **argv);
int command_config(int argc, char **argv);
int command_bench(int argc, char **argv);
int command_soak(int argc, char **argv);
int command_version(int argc, char **argv);
