"""A request that is answered by the call of another one: it hears all of the answer, and pays nothing."""

from __future__ import annotations

from breakeven.pipeline.answers import cost_comment
from breakeven.pipeline.flight import Flight
from breakeven.pipeline.given import Asked, Bought, Given, content_type
from breakeven.pipeline.recording import Listener
from breakeven.pipeline.reply import Headers, Reply
from breakeven.pipeline.shared import Shared


async def follow(shared: Shared, asked: Asked, flight: Flight, reply: Reply) -> bool:
    """Hear an answer under way, or one that has just come. False: it failed, and the client has nothing of it yet.

    A client that goes changes nothing for the others.

    Raises:
        Unavailable: the ledger takes no rows now; nothing was sent.
    """
    given = Given(shared, asked, "single_flight")
    await given.hold(asked.route.targets[0].model)
    if not flight.may_be_joined:  # any more
        await given.release()
        return False

    def heads(headers: Headers) -> Headers:
        return given.headers(flight.served.model, flight.served.name, 0, content_type(headers))

    listener = Listener(flight.recording, reply, heads)
    try:
        await listener.done
    except BaseException:  # the process is ending
        listener.close()
        await given.release()
        raise
    bought = flight.bought or Bought.nothing(flight.served)
    if reply.gone or listener.was_cut_off:
        await given.settle(bought, "client_gone")
    elif flight.is_good:
        await given.settle(bought)
        if flight.body is not None:
            reply.whole(200, heads(flight.recording.headers), flight.body)
        else:
            reply.end(flight.ending + cost_comment(0))
    elif listener.begun:
        await given.settle(bought, "failed")
        error = asked.call.endpoint.stream_error("the upstream ended the stream early", "upstream_broke_off")
        reply.end(error + cost_comment(0))
    else:
        await given.release()
        return False
    return True
