"""A bot that answers every new chat once, by asking HelpCrunch for new chats every few seconds.

    export HELPCRUNCH_API_KEY=...
    python examples/bot_loop.py 4321    # the id of the agent who speaks

An answer is sent at most once: when it is unknown whether it arrived, the bot leaves the chat to people.
"""

import asyncio
import logging
import sys
from collections import OrderedDict
from contextlib import suppress
from typing import Final

from helpcrunch_async import Chat, ChatStatus, HelpCrunchClient, HelpCrunchError
from helpcrunch_async.search import CHAT_STATUS

PAUSE: Final = 5.0  # seconds between two rounds: 12 requests a minute of the account's 120
MOST_A_ROUND: Final = 50  # chats; what is left over comes in the next round
REMEMBERED: Final = 10_000  # chats

log = logging.getLogger("bot")


class Bot:
    """Answers new chats."""

    def __init__(self, client: HelpCrunchClient, agent_id: int) -> None:
        self._client = client
        self._agent_id = agent_id
        # a search may lag behind what was done a moment ago, so the latest chats are remembered
        self._done: OrderedDict[int, None] = OrderedDict()

    def answer_to(self, chat: Chat) -> str:
        """Think of an answer."""
        name = chat.customer.name if chat.customer is not None else None
        return f"Hello{f', {name}' if name else ''}! Somebody will be with you shortly."

    async def round(self) -> int:
        """Answer the chats that are new; tell how many."""
        new = self._client.search_chats(
            CHAT_STATUS.equals(ChatStatus.NEW), sort="createdAt", order="asc", limit=MOST_A_ROUND
        )
        chats = [chat async for chat in new if chat.id not in self._done]
        outcomes = await asyncio.gather(*map(self._answer, chats), return_exceptions=True)
        for chat, outcome in zip(chats, outcomes, strict=True):
            if isinstance(outcome, HelpCrunchError):
                log.warning("chat %d: %s", chat.id, outcome)
            elif isinstance(outcome, BaseException):
                raise outcome
        return outcomes.count(None)

    async def _answer(self, chat: Chat) -> None:
        self._done[chat.id] = None
        while len(self._done) > REMEMBERED:
            self._done.popitem(last=False)
        try:
            await self._client.send_message(chat.id, self.answer_to(chat), agent_id=self._agent_id)
        except HelpCrunchError as error:
            if not error.outcome_unknown:
                del self._done[chat.id]  # it certainly did not arrive: the next round tries again
            raise
        await self._client.set_chat_status(chat.id, ChatStatus.PENDING)

    async def run(self, stop: asyncio.Event, pause: float = PAUSE) -> None:
        """Go round until told to stop. A round that fails is followed by the next one."""
        while not stop.is_set():
            try:
                await self.round()
            except HelpCrunchError as error:
                log.warning("no round: %s", error)
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await stop.wait()


async def main(agent_id: int) -> None:
    """Run until Ctrl-C."""
    async with HelpCrunchClient() as client:
        await Bot(client, agent_id).run(asyncio.Event())


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    with suppress(KeyboardInterrupt):
        asyncio.run(main(int(sys.argv[1])))
