"""Content stages of your own, which proxy models name like the built-in ones:

    def number(call):
        return "".join(f"{n} {line}" for n, line in enumerate(call.content.splitlines(True), 1))

    config = Config(data_dir="…")
    register(config, "number-lines", number, version="1")

The function runs on a thread that the service keeps for the stage, with one text after the other. What it raises makes the
stage fail: the content goes on as it was, and the audit record has the reason.
"""

import enum
import itertools
import json
import threading
from ctypes import byref, c_size_t, c_void_p, string_at
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterable, Optional, Tuple, Union

from . import _native
from ._handle import Handle
from .errors import NotFound, call, check, take

if TYPE_CHECKING:
    from .service import Config


class Later(enum.Enum):
    """What a stage returns that keeps the call, and answers from any thread."""

    LATER = "later"


LATER = Later.LATER
_KEYS = ("contentType", "source", "project", "principal", "model")


class StageCall(Handle):
    """One text and the way to answer. Closed without an answer, the stage has failed."""

    _free = "mcptoken_stage_call_free"

    def _text(self, function: Callable[..., Any]) -> str:
        size = c_size_t()
        start = function(self.pointer, byref(size))
        return string_at(start, size.value).decode()

    @property
    def content(self) -> str:
        """As the stages before have left it."""
        return self._text(_native.lib.mcptoken_stage_call_content)

    @property
    def original(self) -> str:
        """As the server answered."""
        return self._text(_native.lib.mcptoken_stage_call_original)

    @property
    def about(self) -> Dict[str, str]:
        """contentType, source, project, principal, model."""
        return {key: self._get(key) for key in _KEYS}

    @property
    def config(self) -> Dict[str, Any]:
        """The stage's settings in the proxy model."""
        settings: Dict[str, Any] = json.loads(self._get("config"))
        return settings

    def _get(self, key: str) -> str:
        return _native.word(_native.lib.mcptoken_stage_call_get(self.pointer, key.encode()))

    @property
    def abandoned(self) -> bool:
        """Nobody waits for the answer any more."""
        return bool(_native.lib.mcptoken_stage_call_abandoned(self.pointer) == 1)

    def ask_model(self, prompt: str, max_tokens: int = 500) -> str:
        """What the project's language model says; waits for it. NotSupported without one."""
        data = _native.data(prompt)
        return take(call(_native.lib.mcptoken_stage_call_ask_model, self.pointer, data, len(data),
                         _native.whole(max_tokens))).decode()

    def cache_get(self, key: str) -> Optional[bytes]:
        """What this version of the stage has kept for the same principal in the same project; None: nothing."""
        data = _native.data(key)
        try:
            return take(call(_native.lib.mcptoken_stage_call_cache_get, self.pointer, data, len(data)))
        except NotFound:
            return None

    def cache_put(self, key: str, value: Union[bytes, str]) -> None:
        """For a day at most; at most 1 MiB."""
        name, data = _native.data(key), _native.data(value)
        check(_native.lib.mcptoken_stage_call_cache_put, self.pointer, name, len(name), data, len(data))

    def answer(self, content: str, sections: Iterable[Tuple[str, str, str]] = ()) -> None:
        """`sections`: (id, title, content) of what clients may ask for. Then the call is closed."""
        for name, title, text in sections:
            data = _native.data(text)
            check(_native.lib.mcptoken_stage_call_add_section, self.pointer, _native.text(name), _native.text(title), data, len(data))
        data = _native.data(content)
        check(_native.lib.mcptoken_stage_call_answer, self.pointer, data, len(data))
        self.close()

    def fail(self, why: str) -> None:
        """The content goes on as it was. Then the call is closed."""
        reason = why.replace("\0", " ").encode()[:256].decode(errors="ignore")
        check(_native.lib.mcptoken_stage_call_fail, self.pointer, reason.encode())
        self.close()


Answer = Union[str, Tuple[str, Iterable[Tuple[str, str, str]]], Later]
_stages: Dict[int, Callable[[StageCall], Answer]] = {}
_numbers = itertools.count(1)
_lock = threading.Lock()


def _run(number: int, pointer: Any) -> None:
    one = StageCall(pointer)
    try:
        said = _stages[number](one)
        if said is LATER:
            return
        if isinstance(said, tuple):
            one.answer(*said)
        else:
            one.answer(said)
    except Exception as failure:  # whatever it is, it is the stage's, and for the audit record
        if not one.closed:
            one.fail(f"{type(failure).__name__}: {failure}")


def _forget(number: int) -> None:
    with _lock:
        _stages.pop(number, None)


# One of each for all stages; the number in user_data says which.
_RUN, _FORGET = _native.StageFn(_run), _native.DestroyFn(_forget)


def register(config: "Config", name: str, run: Callable[[StageCall], Answer], version: str = "") -> None:
    """Services made with `config` from now on know the stage. `run(call)` returns the text, (text, sections), or LATER.

    `version` says what it does at present, for the cache; without one, results are not kept. Exists: built in, or known.
    """
    with _lock:
        number = next(_numbers)
        _stages[number] = run
    try:
        check(_native.lib.mcptoken_stage_register, config.pointer, _native.text(name), _native.text(version), _RUN,
              c_void_p(number), _FORGET)
    except BaseException:
        _forget(number)
        raise
