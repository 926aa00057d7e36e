"""Competition (M38): the Student against an Opportunist that sees shallow statistics only."""

from typing import Literal

import torch
from torch import Tensor, nn

from models.environment.opportunist import Opinion, Opportunist, Standardiser
from models.episode import Step
from models.losses.profiles import alike, profile_alignment
from models.losses.standing import Standing
from models.losses.task import BinaryCrossEntropy, Immax
from models.losses.term import LOSSES, LossTerm, State, masked_mean
from models.running import running_means

RHO_MAX = 4.0
"""rho_c as a scale is kept in [1 / RHO_MAX, RHO_MAX]."""


@LOSSES.register(
    "competition",
    id="M38",
    name="competition with the Opportunist",
    equation="mean_e rho_c (pull h_c L_S + push s_c a_e^2) + mean (1 - s_c) L_O / rho_c; rho_c = EMA(L_S)/EMA(L_O), "
    "h_c = min(1, max(0, EMA(L_S)/EMA(L_B) - 1)), "
    "s_c = 1[rho_c > 1 + margin, rho'_c <= min(1 + margin, rho_c / (1 + margin))], "
    "a_e = cosine of the similarity profiles of z_S and sg z_O over the other cell lines",
    shapes="shallow [E, S, f], r_student [E], z_e [E, w], pseudo_unseen [E], label [E, Q]; state [C] -> scalar",
    source="seeds 000 and 001; 09-definitions.md, Competition",
)
class Competition(LossTerm):
    """mean_e rho_c (pull h_c L_S(e) + push s_c a_e^2) + mean over Opportunists and episodes of (1 - s_c) L_O(e) / rho_c.

    L_S, L_O, L_B: the configured task loss of an episode's query with sg U_I and R_S(c), R_O(c), or the Teacher's
    R_T(c); L_B is L_O or, with `baseline: teacher`, L_T. Everything per cell line c is from before the step, an EMA
    over episodes that are seen (rho_c, h_c) or pseudo-unseen (rho'_c), and acts after `warmup` episodes of each.

    Seen and pseudo-unseen. Hiding a name hides nothing from an Opportunist, which reads no name: it knows a cell line
    again by its statistics. So there are `folds` Opportunists, and number k learns from seen episodes of the cell
    lines with c mod folds != k. Seen episodes are judged by Opportunist (c + 1) mod folds, which learns from c;
    pseudo-unseen ones by number c mod folds, which never has. An advantage that the latter keeps (rho' > 1 +
    margin) comes from a stable feature of environments; one that it loses is memory of the training cell lines.

    Push-away, where s_c = 1. Two encoders have no coordinates in common; what they share is how they tell cell lines
    apart. a_e compares the cosines of z_S(e) with the other cell lines' running z_S to the same cosines in the
    Opportunist's space (no gradient; without the direction of its own resistance, since to be right about R_E is no
    shortcut): the Student is moved until the two say unrelated things. Unchanged by scale, shift and rotation of
    either space; 0 with fewer than 2 other cell lines. And the Opportunists are not rewarded for c as long as the
    shortcut is there (seed 001: a penalty on the Opportunist, within the subnetworks of R_E); with push 0 they are.

    APL. rho_c > 1, the Student behind: what moves the Student weighs rho_c, what moves the Opportunists 1 / rho_c.

    What it does not certify. Only an advantage counts: a Student that has learnt the same memory as well as the
    Opportunist is not moved. The advantage falls because its reward is taken; moving the Student costs it some of its
    own loss on seen cell lines, so that a large `push` raises the advantage. A small pool of pairs is a fingerprint by
    itself, so that push-away acts on some cell lines of data in which nothing was planted.

    scope `batch`: one rho and one criterion for all cell lines (documented as failing: advantages and disadvantages
    cancel). Episodes of no training cell line (-1) do not count. State: see `initial_state`. A step without
    `energy_of`, `shallow`, `r_student` or `pseudo_unseen` raises ValueError.
    """

    key = "competition"
    reach = frozenset({"E", "T", "A"})

    def __init__(
        self,
        cell_lines: int,
        width: int,
        statistics: int,
        task: str = "immax",
        scope: Literal["cell", "batch"] = "cell",
        baseline: Literal["opportunist", "teacher"] = "opportunist",
        push: float = 0.1,
        pull: float = 1.0,
        momentum: float = 0.9,
        margin: float = 0.05,
        warmup: int = 10,
        folds: int = 4,
        nonnegative: bool = False,
    ) -> None:
        super().__init__()
        if folds < 2:
            raise ValueError(f"folds {folds} leaves no Opportunist that has never learnt from a cell line")
        for name, given, known in (
            ("scope", scope, ("cell", "batch")),
            ("baseline", baseline, ("opportunist", "teacher")),
        ):
            if given not in known:
                raise ValueError(f"{name}: '{given}' is neither '{known[0]}' nor '{known[1]}'")
        self.cell_lines, self.width, self.statistics, self.folds = cell_lines, width, statistics, folds
        self.scope, self.baseline, self.push, self.pull = scope, baseline, push, pull
        self.momentum, self.margin, self.warmup = momentum, margin, warmup
        built = LOSSES.build(task)
        if not isinstance(built, Immax | BinaryCrossEntropy):
            raise ValueError(f"task: '{task}' is not a task loss that one episode has by itself")
        self.task = built
        self.opportunists = nn.ModuleList(Opportunist(statistics, width, nonnegative) for _ in range(folds))

    def initial_state(self) -> State:
        """seen/ and hidden/: a Standing each; z_s [C, w], z_o [C, K, w], met [C]: running representations of the cell
        lines; mean, square, weight: the Standardiser; acted, pulled [C]: running share of episodes in which push-away
        and pull-in were not 0; task/: the task loss's own state."""
        lines = self.cell_lines if self.scope == "cell" else 1
        standing = Standing(*(torch.zeros(lines) for _ in Standing._fields))
        return {
            **{f"seen/{name}": value.clone() for name, value in standing._asdict().items()},
            **{f"hidden/{name}": value.clone() for name, value in standing._asdict().items()},
            **Standardiser.initial(self.statistics)._asdict(),
            "z_s": torch.zeros(self.cell_lines, self.width),
            "z_o": torch.zeros(self.cell_lines, self.folds, self.width),
            "met": torch.zeros(self.cell_lines),
            "acted": torch.zeros(self.cell_lines),
            "pulled": torch.zeros(self.cell_lines),
            **{f"task/{name}": value for name, value in self.task.initial_state().items()},
        }

    def standings(self, state: State) -> tuple[Standing, Standing]:
        """(over seen episodes, over pseudo-unseen ones)."""
        return tuple(
            Standing(*(state[f"{kind}/{name}"].detach() for name in Standing._fields))
            for kind in ("seen", "hidden")
        )  # type: ignore[return-value]

    def shortcut(self, state: State) -> Tensor:
        """s_c 0/1 [C] (or [1]): the Opportunist's advantage is there on seen and not on pseudo-unseen episodes, where
        rho' is also smaller than rho by the margin, so that noise around the margin is no shortcut."""
        seen, hidden = self.standings(state)
        ready = (seen.met >= max(self.warmup, 1)) & (hidden.met >= max(self.warmup, 1))
        limit = torch.minimum(torch.full_like(seen.rho(), 1 + self.margin), seen.rho() / (1 + self.margin))
        return (ready & (seen.rho() > 1 + self.margin) & (hidden.rho() <= limit)).to(seen.met.dtype)

    def report(self, state: State) -> dict[str, Tensor]:
        """Per training cell line [C]: rho, rho_unseen, advantage and advantage_unseen (EMA L_S - EMA L_O, nats),
        acted and pulled (running share of its episodes). One value for all of them under `scope: batch`."""
        seen, hidden = self.standings(state)
        values = {
            "rho": seen.rho(),
            "rho_unseen": hidden.rho(),
            "advantage": seen.student - seen.opportunist,
            "advantage_unseen": hidden.student - hidden.opportunist,
        }
        shared = {name: value.expand(self.cell_lines) for name, value in values.items()}
        return {**shared, "acted": state["acted"], "pulled": state["pulled"]}

    def awake(self, state: State) -> State:
        """Every line met, the Student a tenth behind on seen episodes and ahead on pseudo-unseen ones; fixed numbers, so
        that two configurations differ by what they read of them. Half of the lines have few episodes behind them."""
        met = torch.ones_like(state["seen/met"])
        met[::2], met[1::2] = 15.0, 1.5
        standings: dict[str, tuple[float | Tensor, ...]] = {
            "seen": (1.1, 1.0, 1.0, met),
            "hidden": (0.9, 1.0, 1.0, met),
        }
        changed = {
            f"{kind}/{name}": torch.zeros_like(met) + value
            for kind, values in standings.items()
            for name, value in zip(Standing._fields, values, strict=True)
        }
        count = torch.arange(state["z_o"].numel(), dtype=met.dtype, device=met.device)
        z_s = torch.sin(1.0 + count[: state["z_s"].numel()]).reshape(state["z_s"].shape)
        z_o = torch.cos(count).reshape(state["z_o"].shape)
        return {**state, **changed, "z_s": z_s, "z_o": z_o, "met": torch.ones_like(state["met"])}

    def idle(self, state: State) -> Tensor:
        """Bool []: neither push-away nor pull-in has acted of late: there is nothing to compete over, which is no
        fault. The Opportunists learn all the same."""
        return (state["acted"].max() < 0.01) & (state["pulled"].max() < 0.01)

    def forward(self, step: Step, state: State) -> tuple[Tensor, State]:
        absent = [
            name
            for name in ("shallow", "energy_of", "r_student", "pseudo_unseen")
            if getattr(step, name) is None
        ]
        if step.shallow is None or step.energy_of is None or step.r_student is None or absent:
            raise ValueError(f"competition needs {', '.join(absent)} of a step")
        known = (step.cell >= 0).to(step.z_e.dtype)
        hidden = (step.pseudo_unseen > 0) & (step.cell >= 0)  # type: ignore[operator]
        cell = step.cell.clamp(min=0)
        line = cell if self.scope == "cell" else torch.zeros_like(cell)
        opinions, scaler = self._ask(step.shallow, state)
        l_student = self._loss(step, state, step.r_student)
        l_opportunists = torch.stack(
            [self._loss(step, state, opinion.r) for opinion in opinions], 1
        )  # [E, K]

        place = torch.arange(self.folds, device=cell.device)
        learns = (place != (cell % self.folds).unsqueeze(1)) & ((step.cell >= 0) & ~hidden).unsqueeze(1)
        judge = ((cell + (~hidden).to(cell.dtype)) % self.folds).unsqueeze(1)
        l_opportunist = l_opportunists.detach().gather(1, judge).squeeze(1)

        seen = self.standings(state)[0]
        warm = (seen.met >= max(self.warmup, 1)).to(known.dtype)
        excess = (seen.student / seen.baseline.clamp(min=1e-8) - 1).clamp(0, 1).to(known.dtype) * warm
        pull = self.pull * excess[line] * l_student
        shortcut = self.shortcut(state).to(known.dtype)[line]
        push = self.push * shortcut * self._alignment(step, opinions, cell, state)
        rho = seen.rho().clamp(1 / RHO_MAX, RHO_MAX).to(known.dtype)[line]
        rewarded = ((1 - float(self.push > 0) * shortcut) / rho).unsqueeze(1)
        training = masked_mean(rewarded * l_opportunists, learns.to(l_opportunists.dtype))
        value = masked_mean(rho * (pull + push), known) + training

        baseline = l_opportunist
        if self.baseline == "teacher" and step.r_teacher is not None:
            baseline = self._loss(step, state, step.r_teacher).detach()
        losses = (l_student.detach(), l_opportunist, baseline)
        new = self._remember(step, state, opinions, scaler, losses, hidden)
        acted = {"acted": (push.detach() > 0).to(known.dtype), "pulled": (pull.detach() > 0).to(known.dtype)}
        for name, now in acted.items():
            new[name] = running_means(state[name], state["met"], step.cell, now, self.momentum)[0]
        return value, new

    def _ask(self, shallow: Tensor, state: State) -> tuple[list[Opinion], Standardiser]:
        """What every Opportunist says of the support sets' mean statistics, and the Standardiser after the step."""
        x = shallow.detach().mean(1)
        before = Standardiser(state["mean"], state["square"], state["weight"])
        after = before.update(x, 0.99)
        scaled = after.apply(x)
        return [opportunist(scaled) for opportunist in self.opportunists], after

    def _loss(self, step: Step, state: State, r: Tensor) -> Tensor:
        """Task loss [E] of each query at resistances r [E] of the cell lines."""
        assert step.energy_of is not None
        own = {name.removeprefix("task/"): value for name, value in state.items() if name.startswith("task/")}
        return self.task.of_episodes(step.energy_of(r.unsqueeze(-1)), step.label, own)

    def _alignment(self, step: Step, opinions: list[Opinion], cell: Tensor, state: State) -> Tensor:
        """a_e^2 [E]."""
        met = state["met"].detach().to(step.z_e.dtype)
        z_s = state["z_s"].detach().to(step.z_e.dtype)
        z_o = state["z_o"].detach().to(step.z_e.dtype)
        mine, other = profile_alignment(step.z_e, cell, z_s, met)
        theirs = torch.stack(
            [profile_alignment(o.z.detach(), cell, z_o[:, k], met)[0] for k, o in enumerate(opinions)], 1
        )
        judge = ((cell + 1) % self.folds).reshape(-1, 1, 1).expand(-1, 1, theirs.shape[2])
        enough = (other.sum(1) >= 2).to(mine.dtype)
        return enough * alike(mine, theirs.gather(1, judge).squeeze(1), other).square()

    def _remember(
        self,
        step: Step,
        state: State,
        opinions: list[Opinion],
        scaler: Standardiser,
        losses: tuple[Tensor, ...],
        hidden: Tensor,
    ) -> State:
        """The state after the step, without what this step's pull and push were."""
        line = step.cell if self.scope == "cell" else torch.where(step.cell >= 0, 0, -1)
        standings = self.standings(state)
        updated = (
            standings[0].update(torch.where(hidden, -1, line), losses, self.momentum),
            standings[1].update(torch.where(hidden, line, -1), losses, self.momentum),
        )
        z_o = torch.stack([opinion.z for opinion in opinions], 1)
        z_s, met = running_means(state["z_s"], state["met"], step.cell, step.z_e, self.momentum)
        own = {name.removeprefix("task/"): value for name, value in state.items() if name.startswith("task/")}
        return {
            **{f"seen/{name}": value for name, value in updated[0]._asdict().items()},
            **{f"hidden/{name}": value for name, value in updated[1]._asdict().items()},
            **scaler._asdict(),
            "z_s": z_s,
            "z_o": running_means(state["z_o"], state["met"], step.cell, z_o, self.momentum)[0],
            "met": met,
            **{f"task/{name}": value.detach() for name, value in self.task(step, own)[1].items()},
        }
