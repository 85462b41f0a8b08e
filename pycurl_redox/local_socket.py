"""`--unix-socket`: the one way to every host, beside the network."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pycurl_redox import errors
from tcpip.errors import StackError, TimedOutError
from tcpip.local_stream import MAX_PATH

if TYPE_CHECKING:
    from pycurl_redox.dial import Endpoint, NetworkLike, Note
    from pycurl_redox.dial_options import DialOptions


async def dial_local(
    network: NetworkLike, options: DialOptions, port: int, deadline: float | None, note: Note
) -> Endpoint:
    """Connect to the socket; `port` is only shown.  ResolveFailedError, as in curl, for too long a path."""
    path = options.unix_socket
    assert path is not None
    if len(os.fsencode(path)) > MAX_PATH:
        error = errors.ResolveFailedError(f"Unix socket path too long: '{path}'")
        note(str(error))
        raise error
    if options.policy is not None:
        options.policy.check_local(path)
    shown = "" if options.unix_is_abstract else path  # as curl, whose name of an abstract one begins with NUL
    note(f"  Trying {shown}:0...")
    try:
        return await network.connect_local(path, port, deadline, is_abstract=options.unix_is_abstract)
    except TimedOutError:
        raise
    except StackError as failure:
        note(f"Immediate connect fail for {shown}: {failure}")
        raise
