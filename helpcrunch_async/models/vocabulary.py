"""The words of the API's open vocabularies, and a comparison that knows their spellings.

HelpCrunch's pages spell some words in several ways ("onhold", "on hold", "on-hold"), and add words as time
goes by. So models keep every word as it came, these constants hold the known ones as the newest pages spell
them, and `same_word` compares.
"""

from typing import Final, Literal, TypeAlias, get_args

Rating: TypeAlias = Literal["perfect", "great", "average", "poor", "very poor"]
"""What a customer says of a closed chat. Some pages know the middle three only, the rating page all."""

RATINGS: Final[tuple[Rating, ...]] = get_args(Rating)


class ChatStatus:
    """Words for `Chat.status`. Source: https://docs.helpcrunch.com/en/rest-api-v1/update-chat-status-v1."""

    NEW: Final = "new"
    OPENED: Final = "opened"
    PENDING: Final = "pending"
    ON_HOLD: Final = "on hold"
    NO_COMMUNICATION: Final = "no communication"
    CLOSED: Final = "closed"
    EMPTY: Final = "empty"


class ChatRating:
    """Words for `Chat.rating`. Source: https://docs.helpcrunch.com/en/rest-api-v1/chat-rating-rest-api."""

    PERFECT: Final = "perfect"
    GREAT: Final = "great"
    AVERAGE: Final = "average"
    POOR: Final = "poor"
    VERY_POOR: Final = "very poor"


class AgentRole:
    """Words for `Agent.role`. Source: https://docs.helpcrunch.com/en/rest-api-v1/agent-model-v1."""

    ADMIN: Final = "admin"
    SUPERVISOR: Final = "superviser"  # HelpCrunch's own spelling
    AGENT: Final = "agent"
    AGENT_CHAT_ONLY: Final = "agentChatOnly"


class MessageType:
    """Words for `Message.type`. Source: https://docs.helpcrunch.com/en/rest-api-v1/message-model-v1."""

    TECH: Final = "tech"
    EMAIL: Final = "email"
    KNOWLEDGE_BASE: Final = "knowledgeBase"
    MESSAGE: Final = "message"
    PRIVATE: Final = "private"


_SEPARATORS: Final = str.maketrans("", "", " -_")
_OTHER_SPELLINGS: Final = {"open": "opened", "supervisor": "superviser"}


def _fold(word: str) -> str:
    folded = word.translate(_SEPARATORS).casefold()
    return _OTHER_SPELLINGS.get(folded, folded)


def same_word(one: str | None, other: str | None) -> bool:
    """Say whether two words of a vocabulary mean the same, however they are spelt; None equals only None.

        if same_word(chat.status, ChatStatus.ON_HOLD): ...

    Case, blanks, hyphens and underscores do not count; nor do the known misspellings.
    """
    if one is None or other is None:
        return one is other
    return _fold(one) == _fold(other)


_STATUS_BY_FOLDED: Final = {
    _fold(word): word
    for word in (
        ChatStatus.NEW,
        ChatStatus.OPENED,
        ChatStatus.PENDING,
        ChatStatus.ON_HOLD,
        ChatStatus.NO_COMMUNICATION,
        ChatStatus.CLOSED,
        ChatStatus.EMPTY,
    )
}


def spell_status(status: str) -> str:
    """Spell a chat's status as the newest page does; an unknown one is left as it is."""
    return _STATUS_BY_FOLDED.get(_fold(status), status)
