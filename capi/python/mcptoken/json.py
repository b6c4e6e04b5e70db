"""JSON under the library's rules: no duplicate keys, valid UTF-8, bounded depth and size. Numbers keep their text.

For what the server would accept; the standard library's json is more lenient.
"""

import ctypes
import enum
from ctypes import byref, c_size_t
from typing import Any, Iterator, List, Optional, Union

from . import _native
from ._handle import Handle
from .errors import call, take

Text = Union[str, bytes]


class JsonType(enum.IntEnum):
    ABSENT = -1
    NULL = 0
    BOOLEAN = 1
    NUMBER = 2
    STRING = 3
    ARRAY = 4
    OBJECT = 5


class Value:
    """A value of a document, which it keeps alive. What is not there is a Value of type ABSENT, never an exception."""

    __slots__ = ("_document", "_pointer")

    def __init__(self, document: "Document", pointer: Any) -> None:
        self._document, self._pointer = document, pointer

    def _own(self) -> Any:
        self._document.pointer  # closed: say so
        return self._pointer

    @property
    def type(self) -> JsonType:
        return JsonType(_native.lib.mcptoken_json_type(self._own()))

    def __len__(self) -> int:
        return int(_native.lib.mcptoken_json_size(self._own()))

    def __bool__(self) -> bool:
        return self.type != JsonType.ABSENT

    def __getitem__(self, key: Union[int, str]) -> "Value":
        """An item by position (a member's value for an object), or a member by name."""
        if isinstance(key, str):
            pointer = _native.lib.mcptoken_json_get(self._own(), _native.text(key, "key"))
        else:
            pointer = _native.lib.mcptoken_json_at(self._own(), key) if key >= 0 else None
        return Value(self._document, pointer)

    def __iter__(self) -> Iterator["Value"]:
        return (self[index] for index in range(len(self)))

    def keys(self) -> List[str]:
        """Member names in document order."""
        return [_native.word(_native.lib.mcptoken_json_key(self._own(), index)) for index in range(len(self))]

    def text(self) -> str:
        """Content of a string, or the digits of a number; "" for other types."""
        size = c_size_t()
        pointer = _native.lib.mcptoken_json_text(self._own(), byref(size))
        return ctypes.string_at(pointer, size.value).decode()

    def boolean(self, fallback: bool = False) -> bool:
        return bool(_native.lib.mcptoken_json_boolean(self._own(), int(fallback)) == 1)

    def integer(self, fallback: int = 0) -> int:
        """An integral number that fits 64 bits, `fallback` otherwise."""
        return int(_native.lib.mcptoken_json_integer(self._own(), _native.whole(fallback)))

    def print(self, indent: int = 0) -> str:
        """As JSON text; indent 0: compact."""
        return take(call(_native.lib.mcptoken_json_print, self._own(), _native.whole(indent, 32))).decode()


class Document(Handle):
    """One parsed document. Invalid tells the byte offset of what is wrong."""

    _free = "mcptoken_json_free"

    def __init__(self, text: Text) -> None:
        data = _native.data(text)
        super().__init__(call(_native.lib.mcptoken_json_parse, data, len(data)))

    @property
    def root(self) -> Value:
        return Value(self, _native.lib.mcptoken_json_root(self.pointer))


class Writer(Handle):
    """Builds one document front to back; misplaced calls make finish() raise Misuse. Calls can be chained."""

    _free = "mcptoken_json_writer_free"

    def __init__(self) -> None:
        super().__init__(call(_native.lib.mcptoken_json_writer_new))

    def begin_object(self) -> "Writer":
        _native.lib.mcptoken_json_writer_begin_object(self.pointer)
        return self

    def end_object(self) -> "Writer":
        _native.lib.mcptoken_json_writer_end_object(self.pointer)
        return self

    def begin_array(self) -> "Writer":
        _native.lib.mcptoken_json_writer_begin_array(self.pointer)
        return self

    def end_array(self) -> "Writer":
        _native.lib.mcptoken_json_writer_end_array(self.pointer)
        return self

    def key(self, name: str) -> "Writer":
        _native.lib.mcptoken_json_writer_key(self.pointer, _native.text(name, "key"))
        return self

    def string(self, value: Text) -> "Writer":
        data = _native.data(value)
        _native.lib.mcptoken_json_writer_string(self.pointer, data, len(data))
        return self

    def integer(self, value: int) -> "Writer":
        """64 bits; raw() takes larger ones."""
        _native.lib.mcptoken_json_writer_integer(self.pointer, _native.whole(value))
        return self

    def boolean(self, value: bool) -> "Writer":
        _native.lib.mcptoken_json_writer_boolean(self.pointer, int(value))
        return self

    def null(self) -> "Writer":
        _native.lib.mcptoken_json_writer_null(self.pointer)
        return self

    def raw(self, json: Text) -> "Writer":
        """A complete JSON value as text; it is checked."""
        data = _native.data(json)
        _native.lib.mcptoken_json_writer_raw(self.pointer, data, len(data))
        return self

    def value(self, value: Optional[Value]) -> "Writer":
        """A value of another document."""
        _native.lib.mcptoken_json_writer_value(self.pointer, value._own() if value else None)
        return self

    def finish(self) -> str:
        return take(call(_native.lib.mcptoken_json_writer_finish, self.pointer)).decode()
