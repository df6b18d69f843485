"""The command line of Patchbay: `patchbay`, of the distribution `patchbay-sdk[cli]`.

To add a command:

1. Write it in a module of its own, with the decorator of `command`:

       @command()
       @click.argument("slug")
       def pause(run: Run, slug: str) -> Exit | None:
           \"\"\"Pause the monitors of a space.\"\"\"
           space = run.client.spaces.update(slug=slug, paused=True)
           run.output.result(space.to_dict(), f"{space.slug} is paused.")

   `run` has the client, the organization, the space, and the output. `--json`, `--profile`,
   `--organization`, and what to do with errors come with the decorator.
2. Add a line to `table.COMMANDS`: its name, its module, and what `patchbay --help` says of it.

For a group of commands, such as `patchbay import nango`, the module has a `LazyGroup` with a table
of its own in place of the command: see `events`.

A module is imported when its command is called, and not before. So a command module may import
click, and what is small; the SDK is imported when `run.client` is first used, and whatever else is
large inside the function that needs it.
"""
