"""`patchbay completion`"""

from __future__ import annotations

import click

from patchbay_cli.exits import Exit


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> Exit:
    """Print the completion of a shell: eval "$(patchbay completion bash)"."""
    from click.shell_completion import get_completion_class

    from patchbay_cli.program import COMPLETE_VARIABLE, NAME, root

    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"{shell} has no completion")
    script = kind(root, {}, NAME, COMPLETE_VARIABLE)
    click.echo(kind.source_template % script.source_vars())
    return Exit.DONE
