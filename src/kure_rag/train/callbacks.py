"""What happens beside the steps of a stage: losses written down, checkpoints finished, Ctrl-C, progress."""

from __future__ import annotations

import math
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sentence_transformers.base.evaluation import BaseEvaluator
from transformers import TrainerCallback

from kure_rag.errors import TrainingError
from kure_rag.train.workdir import COMPLETE, place_among, write_json

if TYPE_CHECKING:
    import torch
    from transformers import TrainerControl, TrainerState, TrainingArguments

    from kure_rag.train.development import Development

LOSS_WEIGHTS: Final = "loss.safetensors"
HISTORY: Final = "losses.json"


class Evaluator(BaseEvaluator):
    """Scores the model on the development sets, as sentence-transformers' trainer calls it."""

    def __init__(self, development: Sequence[Development]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._development = development
        self.primary_metric = f"{development[0].name}_{development[0].main}"

    def __call__(
        self, model: Any, output_path: str | None = None, epoch: float = -1, steps: int = -1
    ) -> dict[str, float]:
        """The main measure of each set."""
        return {f"{one.name}_{one.main}": one.score(model).values[one.main] for one in self._development}


class Watch(TrainerCallback):
    """Of one stage.

    Args:
        folder: The stage's.
        losses: Whose weights belong into checkpoints.
        progress: Told steps done, steps in all, and a few words.
        label: Those words, before the loss.

    Attributes:
        asked: Whether the stage is to end early.
        apart: Steps between two whose losses are written down; known once the stage has begun.
        stopped: Whether it ended early.
    """

    def __init__(
        self,
        folder: Path,
        losses: Mapping[str, Any],
        model: Any,
        *,
        progress: Callable[[int, int | None, str], None] | None,
        label: str,
    ) -> None:
        self._folder = folder
        self._losses, self._model = losses, model
        self._progress, self._label = progress, label
        self.asked = False
        self.apart = 1
        self._main = place_among()[0] == 0
        self.stopped = False

    def stop(self) -> None:
        """Ends the stage at the next step whose loss is written down, with a checkpoint."""
        self.asked = True

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Notes where the stage can end early."""
        self.apart = max(1, int(args.logging_steps))

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, logs: Any = None, **_: Any
    ) -> None:
        """Writes all losses so far; a training whose loss is no number is over."""
        loss = (logs or {}).get("loss")
        if loss is not None and not math.isfinite(loss):
            raise TrainingError(
                f"the loss is {loss} at step {state.global_step}: nothing can be learnt any more. Lower learning_rate, "
                "or set precision to fp32"
            )
        if self._main:
            write_json(self._folder / HISTORY, state.log_history)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Moves the bar, and ends the stage where that was asked for."""
        if self._progress is not None:
            last = next((row["loss"] for row in reversed(state.log_history) if "loss" in row), None)
            words = self._label if last is None else f"{self._label}: loss {last:.4f}"
            self._progress(state.global_step, state.max_steps, words)
        # At a step whose loss is written down anyway, so that going on writes down the same ones.
        if self.asked and state.global_step < state.max_steps and state.global_step % args.logging_steps == 0:
            self.stopped = True
            control.should_save = control.should_training_stop = True

    def on_pre_optimizer_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Averages the gradients of the losses' own weights over all processes, as the model's are."""
        if place_among()[1] == 1:
            return
        import torch

        for tensor in loss_weights(self._losses, self._model).values():
            if tensor.grad is not None:
                torch.distributed.all_reduce(tensor.grad)
                tensor.grad /= place_among()[1]

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Adds the losses' own weights to the checkpoint, and then the mark that it is whole."""
        if not self._main:
            return
        checkpoint = self._folder / f"checkpoint-{state.global_step}"
        if own := loss_weights(self._losses, self._model):
            from safetensors.torch import save_file

            save_file(
                {name: tensor.detach().clone().contiguous() for name, tensor in own.items()}, checkpoint / LOSS_WEIGHTS
            )
        (checkpoint / COMPLETE).touch()


def loss_weights(losses: Mapping[str, Any], model: Any) -> dict[str, torch.Tensor]:
    """Weights and running means that losses train beside the model's, such as a classifier's, by name.

    What is frozen, as a guide or a teacher, is left out: it is loaded again.
    """
    import torch

    known = {id(tensor) for tensor in (*model.parameters(), *model.buffers())}
    found: dict[str, torch.Tensor] = {}
    for name, loss in losses.items():
        for path, module in loss.named_modules():
            own = [*module.named_parameters(recurse=False)]
            if not any(weight.requires_grad and id(weight) not in known for _, weight in own):
                continue
            buffers = [(key, buffer) for key, buffer in module.named_buffers(recurse=False)]
            for key, tensor in (*own, *buffers):
                if id(tensor) not in known and isinstance(tensor, torch.Tensor):
                    known.add(id(tensor))  # one that two losses share is kept once
                    found[".".join(part for part in (name, path, key) if part)] = tensor
    return found


def restore_loss_weights(checkpoint: Path, losses: Mapping[str, Any], model: Any) -> None:
    """Puts back what :class:`Watch` kept."""
    import torch

    own = loss_weights(losses, model)
    if not own:
        return
    from safetensors.torch import load_file

    kept = load_file(checkpoint / LOSS_WEIGHTS)
    with torch.no_grad():
        for name, tensor in own.items():
            tensor.copy_(kept[name])


@contextmanager
def stopping(watch: Watch, say: Callable[[str], None]) -> Iterator[None]:
    """Ctrl-C ends the stage at the next step whose loss is written down, with a checkpoint; a second one at once.

    Of several processes each would stop at another step and the others wait for it: there the first ends it at once.
    """
    if threading.current_thread() is not threading.main_thread() or place_among()[1] > 1:
        yield
        return
    before = signal.getsignal(signal.SIGINT)

    def ask(_: int, __: Any) -> None:
        signal.signal(signal.SIGINT, before)
        watch.stop()
        when = "after this step" if watch.apart == 1 else f"within {watch.apart:,} steps, with a checkpoint"
        say(f"stopping {when}; Ctrl-C again ends at once, and the last checkpoint is kept")

    signal.signal(signal.SIGINT, ask)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
