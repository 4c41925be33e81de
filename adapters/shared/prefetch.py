"""Memory that a compiled loop will need is brought into the cache before its turn."""

from functools import cache
from typing import Any

BYTES_IN_LINE = 64  # of a cache line
FLOATS_IN_LINE = BYTES_IN_LINE // 4  # float32


@cache
def make_fetch() -> Any:
    """For compiled loops: `fetch_line(rows, row, line)` has the processor bring into its fastest
    cache what lies `line` cache lines behind the beginning of a row. It changes no number.
    """
    from llvmlite import ir
    from numba.core import cgutils, types
    from numba.extending import intrinsic

    @intrinsic
    def fetch(typing_context: Any, rows: Any, row: Any, line: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            array = context.make_array(signature.args[0])(context, builder, arguments[0])
            strides = cgutils.unpack_tuple(builder, array.strides)  # type: ignore[no-untyped-call]
            row_stride = strides[0]
            number = context.cast(builder, arguments[1], signature.args[1], types.intp)
            place = context.cast(builder, arguments[2], signature.args[2], types.intp)
            bytes_in_line = context.get_constant(types.intp, BYTES_IN_LINE)

            address = builder.ptrtoint(array.data, row_stride.type)
            address = builder.add(address, builder.mul(number, row_stride))
            address = builder.add(address, builder.mul(place, bytes_in_line))
            pointer = builder.inttoptr(address, ir.IntType(8).as_pointer())

            number_type = ir.IntType(32)
            form = ir.FunctionType(ir.VoidType(), [pointer.type, *[number_type] * 3])
            prefetch = builder.module.declare_intrinsic("llvm.prefetch", (pointer.type,), form)
            to_be_written_soon = [ir.Constant(number_type, value) for value in (1, 3, 1)]
            builder.call(prefetch, [pointer, *to_be_written_soon])
            return context.get_dummy_value()

        return types.void(rows, row, line), generate

    return fetch
