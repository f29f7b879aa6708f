"""`session-manager-plugin`: the program that the AWS CLI runs for a session, for the local AWS.

The CLI first runs it without arguments to see that it is there, and then with: the session as JSON, the region,
`StartSession`, the profile, the target as JSON, the endpoint. AWS's own program of this name works here too.
https://github.com/aws/aws-cli/blob/develop/awscli/customizations/ecs/executecommand.py
"""

import contextlib
import json
import os
import sys
import threading
from collections.abc import Iterator

from labs.cloud.session.channel import Channel, ChannelError

SIZE_SECONDS = 0.5
SIZE_WITHOUT_TERMINAL = (300, 100)  # columns and rows; AWS's program says the same
END_OF_INPUT = b"\x04"  # what Ctrl-D types

USAGE = (
    "This is the course's Session Manager plugin for the local AWS. The AWS CLI runs it: "
    "aws ecs execute-command --cluster CLUSTER --task TASK --container NAME --interactive --command /bin/sh"
)


def main() -> int:
    """Runs one session in this terminal.

    Returns:
        0 when the session ended; the exit code of its command is not told, as on AWS. 1 when it could not be opened.
    """
    arguments = sys.argv[1:]
    if not arguments:
        print("\nThe Session Manager plugin of the local AWS is there.\n", flush=True)
        return 0
    if len(arguments) < 3 or arguments[2] != "StartSession":
        print(USAGE, file=sys.stderr)
        return 1
    # The CLI hands a session's token over in the environment where it can, so that `ps` does not show it.
    content = os.environ.pop(arguments[0], "") if arguments[0].startswith("AWS_SSM_START_SESSION") else arguments[0]
    try:
        session = json.loads(content)
        channel = Channel(session)
    except (ValueError, AttributeError) as problem:
        print(f"The first argument is no session: {problem}. {USAGE}", file=sys.stderr)
        return 1
    except ChannelError as problem:
        print(f"\nThe session cannot be opened. {problem}\n", file=sys.stderr)
        return 1
    print(f"\nStarting session with SessionId: {channel.session_id}", flush=True)
    try:
        with _raw_terminal():
            _pass_on(channel)
    except ChannelError as problem:
        print(f"\n\nSessionId: {channel.session_id} : {problem}\n", file=sys.stderr)
        return 1
    if channel.closing_words:
        print(f"\n\nSessionId: {channel.session_id} : {channel.closing_words}\n")
    else:
        print(f"\n\nExiting session with sessionId: {channel.session_id}.\n")
    return 0


def _pass_on(channel: Channel) -> None:
    """Passes keys and sizes one way and output the other until the session ends."""
    ended = threading.Event()
    for work in (_send_keys, _send_sizes):
        threading.Thread(target=work, args=(channel, ended), name=work.__name__, daemon=True).start()
    try:
        for data in channel.output():
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
    finally:
        ended.set()


def _send_keys(channel: Channel, ended: threading.Event) -> None:
    """What is typed, and then, where the input is a file or a pipe that ends, the end of input."""
    channel.ready.wait()
    while not ended.is_set():
        try:
            data = os.read(0, 1024)
        except OSError:  # there is no standard input
            data = b""
        channel.send(data or END_OF_INPUT)
        if not data:
            return


def _send_sizes(channel: Channel, ended: threading.Event) -> None:
    """The terminal's size, now and whenever it changes. Asked for twice a second, as not every system tells."""
    channel.ready.wait()
    told = None
    while not ended.is_set():
        try:
            size = tuple(os.get_terminal_size(1))
        except OSError:
            size = SIZE_WITHOUT_TERMINAL
        if size != told and 0 not in size:
            channel.resize(*size)
            told = size
        ended.wait(SIZE_SECONDS)


@contextlib.contextmanager
def _raw_terminal() -> Iterator[None]:
    """Passes every key on as it is, Ctrl-C too: the terminal in the container gives it its meaning."""
    if not sys.stdin or not sys.stdin.isatty():
        yield
    elif sys.platform == "win32":
        with _raw_console():
            yield
    else:
        import termios
        import tty

        before = termios.tcgetattr(0)
        tty.setraw(0)
        try:
            yield
        finally:
            termios.tcsetattr(0, termios.TCSADRAIN, before)


@contextlib.contextmanager
def _raw_console() -> Iterator[None]:
    """The same for a console of Windows. https://learn.microsoft.com/windows/console/setconsolemode"""
    import ctypes

    kernel = ctypes.windll.kernel32  # type: ignore[attr-defined]
    handles = [kernel.GetStdHandle(number) for number in (-10, -11)]
    before = []
    for handle in handles:
        mode = ctypes.c_uint32()
        kernel.GetConsoleMode(handle, ctypes.byref(mode))
        before.append(mode.value)
    kernel.SetConsoleMode(handles[0], 0x0200)  # ENABLE_VIRTUAL_TERMINAL_INPUT, and no line, echo or Ctrl-C handling
    kernel.SetConsoleMode(handles[1], before[1] | 0x0004)  # ENABLE_VIRTUAL_TERMINAL_PROCESSING
    try:
        yield
    finally:
        for handle, mode in zip(handles, before, strict=True):
            kernel.SetConsoleMode(handle, mode)


if __name__ == "__main__":
    sys.exit(main())
