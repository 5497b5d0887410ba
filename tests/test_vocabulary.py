"""Words of open vocabularies: constants as the newest pages spell them, and a comparison of spellings."""

from itertools import combinations
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpcrunch_async import AgentRole, ChatRating, ChatStatus, MessageType, Rating, same_word
from helpcrunch_async.models.vocabulary import RATINGS, spell_status


def words_of(vocabulary: type) -> dict[str, str]:
    return {name: word for name, word in vars(vocabulary).items() if name.isupper()}


STATUSES = list(words_of(ChatStatus).values())
VOCABULARIES = [AgentRole, ChatRating, ChatStatus, MessageType]
SPELLINGS = [
    (ChatStatus.ON_HOLD, ["onhold", "on hold", "on-hold", "on_hold", "onHold", "On Hold", "ONHOLD"]),
    (ChatStatus.OPENED, ["opened", "open", "Opened", "OPEN"]),
    (ChatStatus.NO_COMMUNICATION, ["no communication", "no-communication", "noCommunication"]),
    (ChatStatus.CLOSED, ["closed", "Closed"]),
    (ChatRating.VERY_POOR, ["very poor", "very-poor", "veryPoor"]),
    (AgentRole.SUPERVISOR, ["superviser", "supervisor", "Supervisor"]),
    (AgentRole.AGENT_CHAT_ONLY, ["agentChatOnly", "agent chat only"]),
    (MessageType.KNOWLEDGE_BASE, ["knowledgeBase", "knowledge base"]),
]
# what known words are made of, so that equal ones do come up
WORDS = st.one_of(
    st.sampled_from([spelling for _, spellings in SPELLINGS for spelling in spellings]),
    st.text(alphabet="onpe hld-_OSß", max_size=6),
    st.none(),
)


def test_the_constants() -> None:
    """Spelt as the newest pages do, HelpCrunch's own misspelling among them."""
    assert words_of(ChatStatus) == {
        "NEW": "new",
        "OPENED": "opened",
        "PENDING": "pending",
        "ON_HOLD": "on hold",
        "NO_COMMUNICATION": "no communication",
        "CLOSED": "closed",
        "EMPTY": "empty",
    }
    assert words_of(ChatRating) == {
        "PERFECT": "perfect",
        "GREAT": "great",
        "AVERAGE": "average",
        "POOR": "poor",
        "VERY_POOR": "very poor",
    }
    assert words_of(AgentRole) == {
        "ADMIN": "admin",
        "SUPERVISOR": "superviser",
        "AGENT": "agent",
        "AGENT_CHAT_ONLY": "agentChatOnly",
    }
    assert words_of(MessageType) == {
        "TECH": "tech",
        "EMAIL": "email",
        "KNOWLEDGE_BASE": "knowledgeBase",
        "MESSAGE": "message",
        "PRIVATE": "private",
    }


def test_ratings_are_a_closed_set() -> None:
    """The type, the tuple and the constants say the same, from the best to the worst."""
    assert RATINGS == get_args(Rating) == tuple(words_of(ChatRating).values())


@pytest.mark.parametrize(("word", "spellings"), SPELLINGS, ids=[word for word, _ in SPELLINGS])
def test_known_spellings_are_the_same_word(word: str, spellings: list[str]) -> None:
    """Whichever page it was copied from, and whichever side it stands on."""
    for spelling in spellings:
        assert same_word(word, spelling)
        assert same_word(spelling, word)


@pytest.mark.parametrize("vocabulary", VOCABULARIES, ids=lambda vocabulary: vocabulary.__name__)
def test_words_of_one_vocabulary_stay_apart(vocabulary: type) -> None:
    """Folding spellings never makes one word of two."""
    for one, other in combinations(words_of(vocabulary).values(), 2):
        assert not same_word(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("poor", "very poor"), ("closed", "close"), ("onhold", "hold"), ("3", "4"), ("new", ""), ("", None)],
)
def test_other_words_are_others(one: str, other: str | None) -> None:
    """A part of a word is another word, and so is none at all."""
    assert not same_word(one, other)
    assert not same_word(other, one)


def test_none_is_the_same_as_none_only() -> None:
    """A chat without a rating has the rating of another one without."""
    assert same_word(None, None)
    assert not same_word(None, "none")


@given(WORDS, WORDS, WORDS)
def test_being_the_same_word_is_an_equivalence(one: str | None, two: str | None, three: str | None) -> None:
    """A word is itself; sides do not count; and what is the same as the same is the same."""
    assert same_word(one, one)
    assert same_word(one, two) is same_word(two, one)
    if same_word(one, two):
        assert same_word(one, three) is same_word(two, three)


@given(st.text(max_size=10))
def test_case_and_separators_do_not_count(word: str) -> None:
    """In words of our own making, too."""
    assert same_word(word, f" {word}_-")
    assert same_word(word, word.casefold())


@pytest.mark.parametrize(
    ("given_", "sent"),
    [
        *((word, word) for word in STATUSES),
        *((other, word) for word, spellings in SPELLINGS[:4] for other in spellings if other != word),
        ("3", "3"),
        ("Escalated", "Escalated"),
        ("on  hold!", "on  hold!"),
        ("very poor", "very poor"),
    ],
)
def test_how_a_status_is_sent(given_: str, sent: str) -> None:
    """A known one as the newest page spells it, another as it is."""
    assert sent == spell_status(given_)


@given(st.text(max_size=10) | st.sampled_from(STATUSES))
def test_spelling_a_status_leaves_its_meaning(status: str) -> None:
    """Spelt once or twice, it is the same word."""
    sent = spell_status(status)
    assert same_word(status, sent)
    assert sent == spell_status(sent)
    assert sent == status or sent in STATUSES
