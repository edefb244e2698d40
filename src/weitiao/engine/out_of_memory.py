"""Tells an exception that says that memory ran out from others, by its name and words. It knows no device."""

OUT_OF_MEMORY = ("can't allocate memory", "not enough memory", "out of memory", "Failed to allocate memory", "CUBLAS_STATUS_ALLOC_FAILED")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception is Python's, torch's or onnxruntime's way of saying that memory ran out, on a GPU or on a CPU.

    >>> is_out_of_memory(MemoryError()), is_out_of_memory(RuntimeError("DefaultCPUAllocator: can't allocate memory"))
    (True, True)
    >>> is_out_of_memory(RuntimeError("shapes do not match"))
    False
    """
    # By name: neither torch nor onnxruntime is loaded for an error that is not theirs.
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    # torch's CPU allocator and onnxruntime have no type of their own for it.
    return type(error).__name__ in ("RuntimeError", "RuntimeException") and any(words in str(error) for words in OUT_OF_MEMORY)
