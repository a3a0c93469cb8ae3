"""QLoRA with Unsloth: a LoRA adapter on all linear layers of a base in 4-bit NF4.

Unsloth loads the model and places the adapter, with its own kernels on a GPU and its CPU backend
elsewhere; the loop is ours. (QLoRA: Dettmers et al., arXiv 2305.14314.)
"""

from __future__ import annotations

import json
import resource
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from localdistill.errors import ModelError, NothingSelected
from localdistill.events import Callback, Notice
from localdistill.trainers import allocator, record
from localdistill.trainers.activations import keep_products
from localdistill.trainers.base import Kept, Saved, TrainResult, TrainSettings
from localdistill.trainers.batches import Step, plan_epoch
from localdistill.trainers.chat_tokens import ChatTokenizer, TokenizedExample
from localdistill.trainers.checkpoint import Checkpoints
from localdistill.trainers.dev_loss import mean_loss
from localdistill.trainers.environment import for_unsloth
from localdistill.trainers.held_out import Division, divide
from localdistill.trainers.loop import Fit, Precision, Work, fit
from localdistill.trainers.train_memory import LARGE_BYTES, together
from localdistill.types import TrainingExample

_TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def train(
    settings: TrainSettings,
    examples: Sequence[TrainingExample],
    folder: Path,
    callback: Callback,
    *,
    saved: Saved | None = None,
) -> TrainResult:
    """Train on ``examples`` and write the adapter; see ``base.Trainer``."""
    # Inside ``folder``, so that what a kill leaves there goes when the training is done again.
    with for_unsloth(folder / "unsloth_code"):
        return _train(settings, examples, folder, callback, saved)


def _train(
    settings: TrainSettings,
    examples: Sequence[TrainingExample],
    folder: Path,
    callback: Callback,
    saved: Saved | None,
) -> TrainResult:
    # First of all: it patches the libraries that the others import.
    import unsloth  # noqa: F401
    import torch  # isort: skip

    if settings.threads is not None:
        torch.set_num_threads(settings.threads)
    torch.manual_seed(settings.seed)
    if settings.deterministic:
        torch.use_deterministic_algorithms(True, warn_only=True)
    if _large(settings.model):
        allocator.give_back_large()
    tokenizer = ChatTokenizer(settings.model)
    settings = within_context(settings, callback)
    division = hold_out(tokenize(tokenizer, examples, settings, callback), settings, callback)
    steps = plan(division.train, settings)
    micro_batch_tokens, kept = sizes(settings)
    model = load_model(settings, kept)
    precision = _precision()
    work = Work(
        steps=steps,
        pad_token=tokenizer.pad_token,
        micro_batch_tokens=micro_batch_tokens,
        held_out_tokens=sum(len(example.tokens) for example in division.held_out),
        held_out_loss=_held_out_loss(model, division, precision, tokenizer.pad_token),
        dealt_with=(len(examples) - len(division.train)) * settings.epochs,
    )
    checkpoints = Checkpoints(saved) if saved else None
    fitted = fit(model, work, settings, precision, callback, checkpoints)
    save_adapter(model, folder)
    record.write(folder, division, fitted.state, len(steps))
    return _result(division, steps, fitted)


def _held_out_loss(
    model: Any, division: Division, precision: Precision, pad_token: int
) -> Callable[[int], float] | None:
    if not division.held_out:
        return None

    def loss(max_tokens: int) -> float:
        return mean_loss(model, division.held_out, precision.autocast, pad_token, max_tokens)

    return loss


def within_context(settings: TrainSettings, callback: Callback) -> TrainSettings:
    """``settings`` with a ``max_length`` that the model's context holds; a notice tells of it.

    For more Unsloth would stretch the positions (RoPE) of a model that nobody runs stretched.
    """
    path = settings.model / "config.json"
    config = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    context = config.get("max_position_embeddings")
    if not isinstance(context, int) or settings.max_length <= context:
        return settings
    text = f"The model's context holds {context:,} tokens: longer examples are left out, whatever"
    callback(Notice(message=f"{text} train.max_length ({settings.max_length:,}) says."))
    return settings.model_copy(update={"max_length": context})


def tokenize(
    tokenizer: ChatTokenizer,
    examples: Sequence[TrainingExample],
    settings: TrainSettings,
    callback: Callback,
) -> list[TokenizedExample]:
    """The examples that can be trained on, as tokens; a notice tells how many were left out.

    Raises:
        NothingSelected: none is left.
    """
    # Training on an empty answer would teach the model to stop before it begins.
    answered = [example for example in examples if example.messages[-1].content.strip()]
    tokenized = [tokenizer.example(example) for example in answered]
    kept = [example for example in tokenized if len(example.tokens) <= settings.max_length]
    empty, too_long = len(examples) - len(answered), len(answered) - len(kept)
    if empty:
        callback(Notice(level="warning", message=f"{empty} examples have no answer: left out."))
    if too_long:
        text = f"{too_long} of {len(examples)} examples are longer than {settings.max_length}"
        callback(Notice(level="warning", message=f"{text} tokens (train.max_length): left out."))
    if not kept:
        raise NothingSelected(
            f"No example is left to train on: {too_long} are longer than "
            f"{settings.max_length} tokens and {empty} have no answer. Raise train.max_length or "
            "draw more samples."
        )
    return kept


def hold_out(
    examples: Sequence[TokenizedExample], settings: TrainSettings, callback: Callback
) -> Division:
    """Set some examples apart as ``train.held_out`` says; a notice tells what came of it."""
    division = divide(examples, settings.held_out, settings.seed)
    if division.held_out:
        text = f"{division.problems} of {division.all_problems} problems "
        text += f"({division.positions:,} answer tokens) are held out: their loss tells whether "
        callback(Notice(message=f"{text}training helps."))
    elif settings.held_out:
        text = f"{division.all_problems} problems are too few to hold some out (train.held_out"
        text += f" = {settings.held_out:g}): training runs to its end, whether it helps or not."
        callback(Notice(message=text))
    return division


def plan(examples: Sequence[TokenizedExample], settings: TrainSettings) -> list[Step]:
    """The steps of all epochs, in order."""
    return [
        step
        for epoch in range(settings.epochs)
        for step in plan_epoch(
            examples,
            step_size=settings.batch_size * settings.gradient_accumulation,
            seed=settings.seed,
            epoch=epoch,
        )
    ]


def sizes(settings: TrainSettings) -> tuple[int, Kept]:
    """Tokens of a micro-batch, padding included, and which activations are kept.

    As the settings say; where they leave it open, by the size of the model.
    """
    import torch

    large, on_gpu = _large(settings.model), torch.cuda.is_available()
    wish = settings.keep_activations
    kept: Kept = "none" if wish is False else "all"
    if wish == "products" or (wish is None and large):
        kept = "none" if on_gpu else "products"
    return settings.micro_batch_tokens or together(kept, large=large), kept


def load_model(settings: TrainSettings, kept: Kept = "all") -> Any:
    """The base in 4 bits with a fresh adapter, ready to train.

    Activations that are not ``kept`` are computed again on the way back; ``products``: see
    ``activations``.

    Raises:
        ModelError: the folder cannot be loaded, or not in 4 bits.
    """
    import torch
    from unsloth import FastLanguageModel

    checkpointing: bool | str = False if kept == "all" else "unsloth"
    try:
        model, _ = FastLanguageModel.from_pretrained(
            # A folder of this disk, and never a model of the hub of the same name: of what Unsloth
            # knows by name it loads its own copy in 4 bits.
            model_name=str(settings.model.absolute()),
            use_exact_model_name=True,
            max_seq_length=settings.max_length,
            dtype=None,  # bfloat16 where the machine computes in it: see _precision
            load_in_4bit=settings.load_in_4bit,
            # By default Unsloth spreads layers over all GPUs; the plan is for the first one.
            device_map="cuda:0" if torch.cuda.is_available() else "cpu",
            trust_remote_code=False,
            use_gradient_checkpointing=checkpointing,
        )
    except (OSError, ValueError) as error:
        text = f"{settings.model} cannot be loaded to train on: {error}"
        raise ModelError(f"{text} Use a Hugging Face folder with safetensors.") from error
    model = FastLanguageModel.get_peft_model(
        model,
        r=settings.rank,
        lora_alpha=settings.alpha,
        target_modules=_TARGETS,
        lora_dropout=0,
        bias="none",
        use_gradient_checkpointing=checkpointing,
        random_state=settings.seed,
        max_seq_length=settings.max_length,
    )
    if settings.load_in_4bit:
        check_4bit(model, settings.model)
    base = model.get_base_model()
    if getattr(base, "_unsloth_cpu_chunked_ce", False):
        # Unsloth's CPU backend takes the loss without ever holding the logits of a whole batch (a
        # gigabyte and more for a vocabulary of 150,000), but switches this on for TRL only.
        base._unsloth_cpu_chunked_ce_active = True
    FastLanguageModel.for_training(model)
    allocator.leave_file(model)
    if kept == "products":
        keep_products(model)
    return model


def save_adapter(model: Any, folder: Path) -> None:
    """Write ``adapter_config.json`` and ``adapter_model.safetensors``, equal for equal weights."""
    # Without the last argument PEFT asks the hub whether the base's vocabulary has grown.
    model.save_pretrained(str(folder), safe_serialization=True, save_embedding_layers=False)
    (folder / "README.md").unlink(missing_ok=True)  # a form with nothing filled in
    path = folder / "adapter_config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    config["target_modules"] = sorted(config["target_modules"])  # PEFT has them in a set
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def check_4bit(model: Any, folder: Path) -> None:
    """Make sure that every layer under the adapter is held in 4 bits.

    Unsloth goes on with 16 bits, with a line in the log, where bitsandbytes fails.

    Raises:
        ModelError: it is not so.
    """
    from bitsandbytes.nn import Linear4bit
    from peft.tuners.lora import LoraLayer

    layers = {
        name: layer.get_base_layer()
        for name, layer in model.named_modules()
        if isinstance(layer, LoraLayer)
    }
    wrong = [name for name, layer in layers.items() if not isinstance(layer, Linear4bit)]
    if wrong or not layers:
        text = f"{len(wrong)} of {len(layers)} layers of {folder} could not be loaded in 4 bits"
        text += f" (first: {wrong[0] if wrong else 'none found'})"
        raise ModelError(f"{text}. Find out why with `python -m bitsandbytes`.")


def _precision() -> Precision:
    import torch
    from unsloth import is_bfloat16_supported

    if is_bfloat16_supported():
        return Precision(torch.bfloat16)
    if torch.cuda.is_available():
        return Precision(torch.float16, scaled=True)
    return Precision(None)


def _large(folder: Path) -> bool:
    """Whether memory is what is short with the model in ``folder``, rather than time."""
    return sum(file.stat().st_size for file in folder.glob("*.safetensors")) > LARGE_BYTES


def _result(division: Division, steps: Sequence[Step], fitted: Fit) -> TrainResult:
    import torch

    state, planned = fitted.state, len(steps)
    steps = steps[: state.step]
    tenth = max(1, state.step // 10)
    on_gpu = torch.cuda.is_available()
    return TrainResult(
        examples=len(division.train),
        trained_tokens=sum(step.response_tokens for step in steps),
        steps=state.step,
        first_loss=_mean(state.losses[:tenth], steps[:tenth]),
        last_loss=_mean(state.losses[-tenth:], steps[-tenth:]),
        tokens_per_second=fitted.tokens / fitted.seconds if fitted.seconds else 0.0,
        peak_memory_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,  # from KiB
        peak_gpu_memory_mb=torch.cuda.max_memory_allocated() / 2**20 if on_gpu else None,
        held_out_before=state.held_out[0].loss if state.held_out else None,
        held_out_after=state.kept.loss if state.kept else None,
        kept_step=state.kept.step if state.kept else None,
        planned_steps=planned,
        out_of_time=state.out_of_time,
    )


def _mean(losses: Sequence[float], steps: Sequence[Step]) -> float:
    """The mean over all response tokens of ``steps``."""
    weights = [step.response_tokens for step in steps]
    return sum(loss * w for loss, w in zip(losses, weights, strict=True)) / sum(weights)
