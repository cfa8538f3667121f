# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
The command ``edge-perception``.

Commands are imported when they are called, so that help and completion answer at once: nothing
here imports OpenCV, NumPy or rich.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import click

import edge_perception
from edge_perception.cli.output.failures import report

# Folder and summary of each command; the summary is repeated here so that it need not be imported.
COMMANDS = {
    'run': ('perception', 'Show what a model perceives in images, video or a camera.'),
    'inspect': ('model', 'Look into a model, and draft its manifest.'),
    'plugins': ('perception', 'List plugins and engines, and what they lack here.'),
    'doctor': ('perception', 'Check all that perception needs, and say how to fix it.'),
    'demo': ('simulation', 'Show a drone on its way down to a landing pad, live over ROS 2.'),
    'build': ('model', 'Make an artifact of a model for a target, and prove it.'),
    'verify': ('model', 'Compare an artifact with its reference, and write its proof.'),
    'sign': ('model', 'Sign every file of a model folder.'),
    'keys': ('model', 'Make keys that sign models, and list those that are trusted.'),
    'score': ('simulation', 'Compare what the node publishes with the truth of a simulator.'),
    'evaluate': ('model', 'Measure average precision on labeled images.'),
    'bench': ('model', 'Measure how fast each engine is, and what it takes.'),
    'cache': ('model', 'Show and tidy what was built on this machine.'),
    'toolchain': ('model', 'Install converters that need an environment of their own.'),
    'pad': ('simulation', 'Draw the landing pad for printing.'),
}


class Commands(click.Group):
    """A group whose commands are looked up in a table, and whose failures are sentences."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        try:
            command: click.Command = import_module(
                f'edge_perception.cli.{COMMANDS[cmd_name][0]}.{cmd_name}'
            ).command
        except Exception as error:
            _end(ctx, error)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith('-'):
            from edge_perception.contract.fields import did_you_mean

            ctx.fail(f'no command {args[0]!r}{did_you_mean(args[0], COMMANDS)}')
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section('Commands'):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except Exception as error:
            _end(ctx, error)


def _end(ctx: click.Context, error: Exception) -> None:
    """Leave with one sentence for an error that the user can fix; raise every other one."""
    status = report(error)
    if status is None:
        raise error
    ctx.exit(status)


# Paragraphs that begin with a backspace are not wrapped by click.
EXAMPLES = """\b
Examples:
  edge-perception run models/yolox_nano street.jpg
  edge-perception inspect yolox_nano.onnx --draft --output model_draft.yaml
  edge-perception plugins
  edge-perception doctor
  edge-perception demo
  edge-perception build models/yolox_nano --target openvino --images photos
  edge-perception verify net.tflite --reference models/yolox_nano --images photos
  edge-perception evaluate models/yolox_nano --dataset labels.json --images val
  edge-perception bench models/yolox_nano --engine all
  edge-perception cache list
  edge-perception toolchain install tflite
  edge-perception sign models/yolox_nano --key release.key --version 3
  edge-perception keys generate release
  edge-perception score --camera /camera --thresholds mine.yaml
  edge-perception pad --size 0.6 --out pad.pdf

Exit status: 0 all done, 1 something could not be read or failed while it ran, 2 wrong usage or
configuration, 3 an artifact was rejected.
"""


@click.group(
    cls=Commands,
    context_settings={'help_option_names': ['-h', '--help']},
    epilog=EXAMPLES,
)
@click.version_option(version=edge_perception.__version__, prog_name='edge-perception')
def main() -> None:
    """
    Detections and poses from camera images, on whatever accelerator is there.

    MODEL is a model folder, a manifest, a model file that says enough of itself, or the name of a
    model: of one in the folders of EDGE_PERCEPTION_MODEL_PATH, or of one that comes with the
    package.
    """


if __name__ == '__main__':
    main()
