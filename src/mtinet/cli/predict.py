"""stub"""
import argparse
HELP="x"; EXAMPLE="x"
def arguments(parser: argparse.ArgumentParser) -> None: ...
def main(given: argparse.Namespace) -> int: return 0
