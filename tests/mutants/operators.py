"""What can be spoiled in a Python file: a list of operators over its syntax tree, each giving small changed texts.

Left alone, because no test of behaviour should notice: docstrings, annotations and type aliases, overloads, decorators,
``assert`` (it speaks to the type checker), ``__all__``, ``__slots__``, ``__repr__`` and ``__str__``, imports,
f-strings, and strings with a blank in them, which are messages. Words without a blank are facts: field names,
statement ids.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

__all__ = ["OPERATORS", "Mutant", "clipped", "mutants_of"]

#: Names of the operators, as reports and the list of equivalent mutants spell them.
OPERATORS: Final = (
    "boundary",  # < becomes <=, and so on
    "comparison",  # < becomes >=, == becomes !=, is becomes is not, in becomes not in
    "logic",  # and becomes or, and the other way round
    "operand",  # one operand of and/or goes
    "negation",  # not x becomes x, -x becomes x
    "arithmetic",  # + - * // % and their augmented assignments
    "bits",  # & | ^ << >>
    "number",  # one more, one less
    "truth",  # True and False swapped
    "word",  # a string without a blank, or bytes, gets another end
    "return",  # None instead of the value
    "statement",  # a call, a raise, a del, an assignment to an attribute or an item goes
    "condition",  # of if, a conditional expression or a comprehension: always, never; of while: never
    "row",  # one entry of a dict, a set, or of a table at the top of a module or class goes
    "slice",  # one bound moves by one, or goes
    "loop",  # break becomes continue, and the other way round
    "handler",  # an except clause lets the exception pass
    "extreme",  # min becomes max, and the other way round
)

_BOUNDARY: Final = {ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt}
_COMPARISON: Final = {
    ast.Lt: ast.GtE, ast.LtE: ast.Gt, ast.Gt: ast.LtE, ast.GtE: ast.Lt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
_ARITHMETIC: Final = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv, ast.FloorDiv: ast.Mult, ast.Div: ast.Mult,
    ast.Mod: ast.Mult,
}  # fmt: skip
_BITS: Final = {
    ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.BitXor: ast.BitOr, ast.LShift: ast.RShift, ast.RShift: ast.LShift,
}  # fmt: skip
_EXTREMES: Final = {"min": "max", "max": "min"}
_SILENT_NAMES: Final = {"__all__", "__slots__"}
_SILENT_FUNCTIONS: Final = {"__repr__", "__str__"}
#: Their first argument says something to the type checker or to readers of logs.
_FIRST_ARGUMENT_IS_SILENT: Final = {"cast", "TypeVar", "NewType", "getLogger"}

_Change: TypeAlias = tuple[ast.AST, str, str]  #: what to replace, the operator, the new text
_Display: TypeAlias = ast.Set | ast.Tuple | ast.List


@dataclass(frozen=True)
class Mutant:
    """One change to one file.

    ``start`` and ``stop`` are offsets in bytes, ``scope`` is the function or method, ``text`` the whole first line.
    """

    file: str
    line: int
    scope: str
    operator: str
    text: str
    before: str
    after: str
    start: int
    stop: int

    @property
    def change(self) -> str:
        """Before and after, on one line."""
        return f"{self.before} → {self.after}"

    def apply(self, source: bytes) -> bytes:
        """The file with this change in it."""
        return source[: self.start] + self.after.encode() + source[self.stop :]

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.operator}: {clipped(self.before)} → {clipped(self.after)}"


def clipped(text: str) -> str:
    """At most so much that it fits a line of a report: the beginning and the end."""
    return text if len(text) <= 120 else f"{text[:80]} … {text[-35:]}"


def mutants_of(source: bytes, file: str) -> list[Mutant]:
    """All mutants of one file, in the order of its lines."""
    lines = source.splitlines(keepends=True)
    offsets = [0]
    for line in lines:
        offsets.append(offsets[-1] + len(line))
    found = {}
    for scope, (node, operator, after) in _changes(ast.parse(source)):
        assert isinstance(node, ast.expr | ast.stmt)
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        start = offsets[node.lineno - 1] + node.col_offset
        stop = offsets[node.end_lineno - 1] + node.end_col_offset
        before = " ".join(source[start:stop].decode().split())
        text = " ".join(lines[node.lineno - 1].decode().split())
        mutant = Mutant(file, node.lineno, scope, operator, text, before, after, start, stop)
        found[(start, stop, after)] = mutant
    return sorted(found.values(), key=lambda item: item.start)


def _changes(module: ast.Module) -> Iterator[tuple[str, _Change]]:
    """Walk what is behaviour; gives the changes of each node, with its scope, before those of its children."""
    todo: list[tuple[ast.AST, str, bool]] = [(module, "", True)]
    while todo:
        node, scope, at_top = todo.pop()
        if _is_silent(node):
            continue
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            scope = f"{scope}.{node.name}".removeprefix(".")
        changes = [*_of_node(node), *(_of_table(node) if at_top else ())]
        yield from ((scope, change) for change in changes)
        inside = at_top and not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        todo += [(child, scope, inside) for child in _children(node)]


def _is_silent(node: ast.AST) -> bool:
    """Whether nothing below a node is behaviour."""
    match node:
        case ast.Import() | ast.ImportFrom() | ast.Assert() | ast.JoinedStr() | ast.Expr(ast.Constant()):
            return True
        case ast.FunctionDef(decorator_list=[ast.Name("overload")]):
            return True
        case ast.FunctionDef(name=name):
            return name in _SILENT_FUNCTIONS
        case ast.Assign(targets=[ast.Name(name)]):
            return name in _SILENT_NAMES
        case ast.AnnAssign(annotation=ast.Name("TypeAlias")):
            return True
        case ast.If(test=ast.Name("TYPE_CHECKING")):
            return True
        case _:
            return False


def _children(node: ast.AST) -> Iterable[ast.AST]:
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            return [*node.args.defaults, *filter(None, node.args.kw_defaults), *node.body]
        case ast.ClassDef():
            return node.body
        case ast.AnnAssign():
            return [node.value] if node.value else []
        case ast.Call(func=ast.Name(name)) if name in _FIRST_ARGUMENT_IS_SILENT:
            return node.args[1:]
        case _:
            return ast.iter_child_nodes(node)


def _of_node(node: ast.AST) -> Iterator[_Change]:
    match node:
        case ast.expr():
            yield from _of_expression(node)
        case ast.stmt():
            yield from _of_statement(node)
        case ast.comprehension():
            for condition in node.ifs:
                yield from _forced(condition, "True", "False")


def _of_expression(node: ast.expr) -> Iterator[_Change]:
    match node:
        case ast.Compare(ops=operators):
            yield from _compared(node, operators)
        case ast.BoolOp(op=ast.And()):
            yield from _connected(node, ast.Or())
        case ast.BoolOp():
            yield from _connected(node, ast.And())
        case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=operand):
            yield node, "negation", _text(operand)
        case ast.BinOp(op=operator):
            for name, other in _other_operators(operator):
                yield node, name, _text(ast.BinOp(node.left, other, node.right))
        case ast.Constant(value=value):
            yield from _constant(node, value)
        case ast.IfExp(test=test):
            yield from _forced(test, "True", "False")
        case ast.Dict(keys=keys, values=values) if len(keys) > 1:
            for index in range(len(keys)):
                fewer = ast.Dict(keys[:index] + keys[index + 1 :], values[:index] + values[index + 1 :])
                yield node, "row", ast.unparse(fewer)
        case ast.Set():
            yield from _fewer(node)
        case ast.Subscript(slice=ast.Slice() as bounds, ctx=ast.Load()):
            yield from _moved(node, bounds)
        case ast.Call(func=ast.Name(name)) if name in _EXTREMES:
            yield node.func, "extreme", _EXTREMES[name]


def _of_statement(node: ast.stmt) -> Iterator[_Change]:
    match node:
        case ast.Return(value=ast.expr() as value) if not (isinstance(value, ast.Constant) and value.value is None):
            yield node, "return", "return None"
        case ast.Expr(ast.Call()) | ast.Raise() | ast.Delete():
            yield node, "statement", "pass"
        case ast.Assign(targets=targets) if all(isinstance(item, ast.Attribute | ast.Subscript) for item in targets):
            yield node, "statement", "pass"
        case ast.AnnAssign(target=ast.Attribute(), value=ast.expr()):
            yield node, "statement", "pass"
        case ast.AugAssign(op=operator):
            yield node, "statement", "pass"
            for name, other in _other_operators(operator):
                yield node, name, ast.unparse(ast.AugAssign(node.target, other, node.value))
        case ast.If(test=test):
            yield from _forced(test, "True", "False")
        case ast.While(test=test):
            yield from _forced(test, "False")
        case ast.Break():
            yield node, "loop", "continue"
        case ast.Continue():
            yield node, "loop", "break"
        case ast.Try(handlers=handlers):
            for handler in handlers:
                if not isinstance(handler.body[0], ast.Raise) or handler.body[0].exc is not None:
                    yield handler.body[0], "handler", "raise"


def _of_table(node: ast.AST) -> Iterator[_Change]:
    """Rows of a tuple or list that stands at the top of a module or a class."""
    if isinstance(node, ast.Tuple | ast.List) and isinstance(node.ctx, ast.Load):
        yield from _fewer(node)


def _text(node: ast.expr) -> str:
    """An expression that may stand anywhere."""
    return f"({ast.unparse(node)})"


def _forced(test: ast.expr, *values: str) -> Iterator[_Change]:
    if not isinstance(test, ast.Constant):
        for value in values:
            yield test, "condition", value


def _compared(node: ast.Compare, operators: list[ast.cmpop]) -> Iterator[_Change]:
    for index, operator in enumerate(operators):
        for name, table in (("boundary", _BOUNDARY), ("comparison", _COMPARISON)):
            if type(operator) in table:
                others = [*operators[:index], table[type(operator)](), *operators[index + 1 :]]
                yield node, name, _text(ast.Compare(node.left, others, node.comparators))


def _connected(node: ast.BoolOp, other: ast.boolop) -> Iterator[_Change]:
    yield node, "logic", _text(ast.BoolOp(other, node.values))
    for index in range(len(node.values)):
        rest = node.values[:index] + node.values[index + 1 :]
        yield node, "operand", _text(rest[0] if len(rest) == 1 else ast.BoolOp(node.op, rest))


def _other_operators(operator: ast.operator) -> Iterator[tuple[str, ast.operator]]:
    if type(operator) in _ARITHMETIC:
        yield "arithmetic", _ARITHMETIC[type(operator)]()
    if type(operator) in _BITS:
        yield "bits", _BITS[type(operator)]()


def _constant(node: ast.Constant, value: object) -> Iterator[_Change]:
    match value:
        case bool():
            yield node, "truth", repr(not value)
        case int() | float():
            yield node, "number", f"({value + 1!r})"
            yield node, "number", f"({value - 1!r})"
        case str() if not any(letter.isspace() for letter in value):
            yield node, "word", repr(value + "~")
        case bytes():
            yield node, "word", repr(value[:-1] + bytes([value[-1] ^ 1]) if value else b"~")


def _fewer(node: _Display) -> Iterator[_Change]:
    if len(node.elts) > 1:
        for index in range(len(node.elts)):
            rest = node.elts[:index] + node.elts[index + 1 :]
            match node:
                case ast.Set():
                    yield node, "row", ast.unparse(ast.Set(rest))
                case ast.Tuple():
                    yield node, "row", ast.unparse(ast.Tuple(rest, node.ctx))
                case ast.List():
                    yield node, "row", ast.unparse(ast.List(rest, node.ctx))


def _moved(node: ast.Subscript, bounds: ast.Slice) -> Iterator[_Change]:
    lower, upper, one = bounds.lower, bounds.upper, ast.Constant(1)
    others = []
    if lower is not None:
        others += [ast.Slice(ast.BinOp(lower, ast.Add(), one), upper), ast.Slice(None, upper)]
    if upper is not None:
        others += [ast.Slice(lower, ast.BinOp(upper, ast.Sub(), one)), ast.Slice(lower, None)]
    for other in others:
        other.step = bounds.step
        yield node, "slice", ast.unparse(ast.Subscript(node.value, other, node.ctx))
