"""The command line `mtinet`. One module per subcommand, with HELP, EXAMPLE, arguments(parser) and main(given).

These modules import the library inside their functions: `mtinet --help` has to answer at once, and most commands
have no use for torch. No stage imports them.
"""
