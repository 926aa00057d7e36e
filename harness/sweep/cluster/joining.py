"""Whether a Ray cluster answers at an address, asked before Ray itself tries for a quarter of an hour."""

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from types import FrameType

from analysis.errors import UserError
from harness.sweep.cluster.sign_in import token_here

ANSWER = 8.0
"""Seconds for a cluster's head to answer at all."""
JOIN = 20.0
"""Seconds for the join itself after that."""
REFUSED = "token"
"""A head that answers, and does not accept the token it is given."""
PORTS = "the head's own port (6379 unless `ray start --head --port` said another)"


def reach(address: str) -> None:
    """Check that a Ray head answers at `address`.

    Raises
    ------
    UserError
        when there is no such address, nothing or no Ray head answers there, or it does not answer in time.
    """
    said = f"--address {address}"
    if address.lower() in ("", "local", "none") or address.startswith(":"):
        raise UserError(f"{said}: expected HOST:PORT of a Ray cluster, or auto; leave it out for a local Ray")
    if address.startswith(("http://", "https://")):
        raise UserError(
            f"{said}: this is a dashboard's address, which takes jobs (`ray job submit --address {address}`); "
            f"to join the cluster give HOST:PORT with {PORTS}"
        )
    client = address.startswith("ray://")
    place = address.removeprefix("ray://").rstrip("/") if client else _resolved(address, said)
    if not place or "/" in place:
        raise UserError(f"{said}: expected ray://HOST:PORT")
    if not client and place != address:
        said = f"{said} ({place}{_from_environment()})"
    if os.environ.get("RAY_USE_TLS", "0").lower() not in ("1", "true"):
        problem = _problem(place, client=client, token=token_here(unasked=address == "auto"))
        if problem == REFUSED:
            raise UserError(
                f"{said}: the Ray head there asks for its token, and {_which_token()}; set RAY_AUTH_MODE=token, and "
                "RAY_AUTH_TOKEN_PATH to a file with the token that the cluster was started with"
            )
        if problem is not None:
            raise UserError(
                f"{said}: no Ray cluster could be joined: {problem}. Give HOST:PORT with "
                f"{'the port of its Ray client server (10001 by default)' if client else PORTS}, or leave "
                "--address out for a local Ray"
            )


@contextlib.contextmanager
def patience(address: str, seconds: float = JOIN) -> Iterator[None]:
    """Limit the time of a join.

    Raises
    ------
    UserError
        after `seconds`, when Python runs in between; only a program's main thread can be interrupted so.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def over(number: int, frame: FrameType | None) -> None:
        raise UserError(
            f"--address {address}: a Ray cluster answers there, and could not be joined within {seconds:g} s. The sweep "
            "has to run on one of the cluster's nodes: run it there, add this machine "
            f"(`ray start --address={address}`), or send it with `ray job submit`"
        )

    before = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _resolved(address: str, said: str) -> str:
    """HOST:PORT as Ray will take it: `auto` asks RAY_ADDRESS and the Rays of this machine."""
    from ray._private.services import canonicalize_bootstrap_address

    try:
        place = canonicalize_bootstrap_address(address)
    except ConnectionError:
        raise UserError(
            f"{said}: no Ray runs on this machine; start one with `ray start --head`, give HOST:PORT, or leave "
            "--address out for a local Ray"
        ) from None
    except (ValueError, OSError) as error:
        raise UserError(
            f"{said}: expected HOST:PORT of a Ray cluster, or auto{_from_environment()} ({error})"
        ) from None
    if place is None:
        raise UserError(f"{said}: it names no cluster{_from_environment()}; give HOST:PORT")
    host, _, port = place.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise UserError(f"{said}: {port or place} is no port{_from_environment()}; expected HOST:PORT")
    return str(place)


def _from_environment() -> str:
    there = os.environ.get("RAY_ADDRESS")
    return f", as RAY_ADDRESS={there} has it" if there else ""


def _which_token() -> str:
    if token_here(unasked=False) is not None:
        return "the one that is set here is another"
    return "none is given to it from here"


def _problem(place: str, *, client: bool, token: str | None) -> str | None:
    """Why no Ray head can be spoken with at `place`; None when one can."""
    import grpc

    with grpc.insecure_channel(place, options=[("grpc.enable_http_proxy", 0)]) as channel:
        ask = channel.unary_unary("/ray.rpc.NodeInfoGcsService/CheckAlive")
        try:
            ask(b"", timeout=ANSWER, metadata=[("authorization", f"Bearer {token}")] if token else None)
        except grpc.RpcError as error:
            code, details = error.code(), str(error.details() or "")
        else:
            return None
    if code == grpc.StatusCode.UNAVAILABLE:
        return _unavailable(place, details)
    if code == grpc.StatusCode.DEADLINE_EXCEEDED:
        return f"{place} does not answer within {ANSWER:g} s"
    if code == grpc.StatusCode.UNIMPLEMENTED and not client:
        return f"what answers at {place} is no Ray head (perhaps another port of Ray)"
    # Anything else is said by a head that speaks, and is for Ray to tell.
    return REFUSED if code == grpc.StatusCode.UNAUTHENTICATED else None


def _unavailable(place: str, details: str) -> str:
    host = place.rpartition(":")[0]
    if "resolving" in details or "DNS" in details:
        return f"the name {host} does not resolve"
    if "refused" in details:
        return f"nothing listens at {place} (connection refused)"
    if "No route" in details or "unreachable" in details:
        return f"{host} cannot be reached from here"
    return f"what answers at {place} does not speak as a Ray head does ({details[:120]})"
