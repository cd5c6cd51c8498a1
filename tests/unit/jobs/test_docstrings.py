from lakerag.jobs.docstrings import inline, to_markdown


def test_numpydoc_becomes_sections_with_lists() -> None:
    docstring = """Adds one.

    .. versionadded:: 1.5.0

    .. versionchanged:: 3.4.0
        Supports Spark Connect.

    Parameters
    ----------
    col : :class:`~pyspark.sql.Column` or str
        The column
        to add to.
    times : int, optional
        How often.

    Returns
    -------
    :class:`~pyspark.sql.Column`
        The sum.
    .. versionadded:: 1.5.0

    See Also
    --------
    subtract

    Examples
    --------
    >>> from f import add  # doctest: +SKIP
    >>> for i in (1, 2):
    ...     add(i)
    2
    +---+
    | 3 |
    +---+

    Example 2: another one.

    >>> add(7)
    """
    assert to_markdown(docstring) == (
        "Adds one.\n\n"
        "## Parameters\n\n"
        "- `col` (`Column` or str): The column to add to.\n"
        "- `times` (int, optional): How often.\n\n"
        "## Returns\n\n"
        "`Column`: The sum.\n\n"
        "## Example\n\n"
        "```python\nfrom f import add\nfor i in (1, 2):\n    add(i)\n```"
    )


def test_google_style_becomes_sections_and_ends_at_the_margin() -> None:
    docstring = """Logs a metric.

    Args:
        key (str): The name,
            at most 250 characters.
        value: The value.

    Returns:
        The ``Run``.

    .. code-block:: python
        :test:
        :caption: Example

        log("a", 1)
    """
    assert to_markdown(docstring) == (
        "Logs a metric.\n\n"
        "## Parameters\n\n"
        "- `key` (str): The name, at most 250 characters.\n"
        "- `value`: The value.\n\n"
        "## Returns\n\nThe `Run`.\n\n"
        '## Example\n\n```python\nlog("a", 1)\n```'
    )


def test_fields_become_sections() -> None:
    docstring = """Merges.

    Example::

        table.merge()

    :param source: The source
                   DataFrame.
    :type source: DataFrame
    :param condition: When.
    :return: A builder.
    """
    assert to_markdown(docstring) == (
        "Merges.\n\n"
        "## Example\n\n```python\ntable.merge()\n```\n\n"
        "## Parameters\n\n- `source`: The source DataFrame.\n- `condition`: When.\n\n"
        "## Returns\n\nA builder."
    )


def test_a_sentence_that_starts_with_a_role_is_no_field() -> None:
    docstring = "For a streaming\n:class:`DataFrame`, it keeps: all rows."
    assert to_markdown(docstring) == "For a streaming\n`DataFrame`, it keeps: all rows."


def test_remarks_are_kept_and_named() -> None:
    docstring = "Runs.\n\n.. note::\n    Not on ``Sundays``,\n    though.\n\nEnd."
    assert to_markdown(docstring) == "Runs.\n\n**Note:** Not on `Sundays`, though.\n\nEnd."


def test_links_and_roles_are_resolved() -> None:
    assert (
        inline("See :py:meth:`the log <mlflow.log>`, :func:`a.b.c` and `docs <x.html>`_.") == "See `log`, `c` and docs."
    )


def test_prose_behind_a_section_joins_the_prose_before_it() -> None:
    docstring = "Starts.\n\nArgs:\n    a: First.\n\nIs slow."
    assert to_markdown(docstring) == "Starts.\n\nIs slow.\n\n## Parameters\n\n- `a`: First."
