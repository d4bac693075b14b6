"""The command lines of TorchServe's programs, as argparse parsers."""

import argparse


class ArgParser:
    """Parsers of the `torchserve` command and of the worker that TorchServe starts."""

    @staticmethod
    def ts_parser() -> argparse.ArgumentParser:
        """The flags of `torchserve`. The command checks them itself; this parser is for programs that wrap it."""
        parser = argparse.ArgumentParser(prog="torchserve", description="Serves PyTorch models.")
        action = parser.add_mutually_exclusive_group()
        action.add_argument("-v", "--version", action="store_true", help="print the version")
        action.add_argument("--start", action="store_true", help="start the server; also what happens without a flag")
        action.add_argument("--stop", action="store_true", help="stop the server")
        parser.add_argument("--ts-config", help="config.properties file")
        parser.add_argument("--model-store", help="folder with the archives")
        parser.add_argument("--workflow-store", help="folder with the workflow archives; the model store by default")
        parser.add_argument(
            "--models",
            metavar="MODEL_PATH1 MODEL_NAME=MODEL_PATH2...",
            nargs="+",
            help="what to load at the start: [name=]archive or URL, or all",
        )
        parser.add_argument("--log-config", help="log4j2 configuration file")
        parser.add_argument("--cpp-log-config", help="log configuration file of C++ workers")
        parser.add_argument("--foreground", action="store_true", help="stay until the server has ended")
        parser.add_argument(
            "--no-config-snapshots", "--ncs", action="store_true", help="neither write nor read snapshots"
        )
        parser.add_argument("--plugins-path", "--ppath", help="folder with plug-ins")
        parser.add_argument(
            "--disable-token-auth", "--dt", dest="token_auth", action="store_true", help="ask for no tokens"
        )
        parser.add_argument(
            "--enable-model-api", dest="model_mode", action="store_true", help="allow to register and remove models"
        )
        return parser

    @staticmethod
    def model_service_worker_args() -> argparse.ArgumentParser:
        """The flags of TorchServe's worker process. Sconce's workers are told by other means."""
        parser = argparse.ArgumentParser(prog="model-server-worker", description="Runs one copy of a model.")
        parser.add_argument("--sock-type", required=True, choices=["unix", "tcp"], help="kind of socket to listen on")
        parser.add_argument("--sock-name", help="path of the unix socket")
        parser.add_argument("--host", help="address to listen on with tcp")
        parser.add_argument("--port", help="port to listen on with tcp")
        parser.add_argument("--metrics-config", help="metrics.yaml file")
        parser.add_argument("--async", dest="async_comm", action="store_true", help="the handler is a coroutine")
        return parser

    @staticmethod
    def extract_args(args=None) -> argparse.Namespace:
        """The parsed `torchserve` flags: those given, else the program's own."""
        return ArgParser.ts_parser().parse_args(args or None)
