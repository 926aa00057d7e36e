"""Competition (M38): the Student against an Opportunist that sees shallow statistics only."""

from collections.abc import Callable, Mapping
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, logsigmoid

from models.environment.opportunist import Opportunist, Standardiser
from models.episode import Step
from models.losses.mixture import mixture_logit
from models.losses.profiles import alike, profile_alignment
from models.losses.registry import LOSSES
from models.losses.standing import Standing
from models.losses.task import TaskLoss
from models.losses.term import ENVIRONMENT, OWN, LossTerm, State, masked_mean
from models.running import running_means
from models.sizes import Sizes

RHO_MAX = 4.0
"""rho_c as a scale is kept in [1 / RHO_MAX, RHO_MAX]."""


@LOSSES.register(
    "competition",
    id="M38",
    name="competition with the Opportunist",
    equation="mean_e rho_c (pull h_c L_S + push s_c a_e^2) + mean ((1 - s_c) L_O + s_c CE(P_O, P_0)) / rho_c; "
    "rho_c = EMA(L_S)/EMA(L_O), h_c = min(1, max(0, EMA(L_S)/EMA(L_B) - 1)), "
    "s_c = min(1, max(0, (d_c - max(0, d'_c)) / margin - 1)), d_c = EMA((L_S - L_S0) - (L_O - L_O0)) / EMA(L_S), "
    "a_e = cosine of the similarity profiles of z_S and sg z_O over the other cell lines",
    shapes="shallow [E, S, f], r_heard [E], z_e [E, w], pseudo_unseen [E], label [E, Q]; state [C] -> scalar",
    source="source documents 000 and 001; definitions, Competition",
)
class Competition(LossTerm):
    """mean_e rho_c (pull h_c L_S(e) + push s_c a_e^2) + mean over Opportunists and episodes of their loss / rho_c.

    L_S, L_O, L_B: the configured task loss of an episode's query with sg U_I and R_S(c), R_O(c), or the Teacher's
    R_T(c); L_B is L_O or, with `baseline: teacher`, L_T. rho_c > 1: the Student is behind; what moves it weighs rho_c,
    what moves the Opportunists 1 / rho_c. Pull-in acts where L_S exceeds L_B, push-away where the Opportunist's
    advantage d_c on seen episodes exceeds d'_c, the advantage on pseudo-unseen ones of an Opportunist that never
    learnt from c. Where it does, an Opportunist also loses by what it remembers of c. Everything per cell line c is an
    EMA from before the step over episodes that are seen (rho_c, h_c, d_c) or pseudo-unseen (d'_c), and acts after
    `warmup` episodes of each. NaN passes through; episodes of no training cell line (-1) do not count. Raises
    ValueError for an unknown choice. Why, and what it does not certify: docs/derivations.md, Competition.
    """

    key = "competition"
    weight = "loss.competition.weight"
    order = 80
    in_phase1 = False
    ramps = True
    reads = frozenset(
        {"shallow", "energy_of", "r_heard", "r_teacher", "pseudo_unseen", "z_e", "cell", "label", "logit"}
    )
    objectives = {
        ("pull", "ET"): ("L_S", "down"),
        ("push", "ET"): ("a^2", "down"),
        ("opportunists", "A"): ("(1 - s) L_O + s CE(P_O, P_0)", "down"),
    }
    needs = frozenset({"student", "hidden_names", "single_line_support"})
    takes = ("cell_lines", "width", "statistics", "nonnegative")
    reach = ENVIRONMENT | OWN

    @classmethod
    def arguments(cls, settings: Mapping[str, Any], sizes: Sizes) -> dict[str, Any]:
        return {**super().arguments(settings, sizes), "task": settings["loss"]["task"]}

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
        margin: float = 0.02,
        warmup: int = 10,
        folds: int = 8,
        nonnegative: bool = False,
    ) -> None:
        super().__init__()
        if folds < 2:
            raise ValueError(f"folds {folds} leaves no Opportunist that has never learnt from a cell line")
        for name, choice, known in (
            ("scope", scope, ("cell", "batch")),
            ("baseline", baseline, ("opportunist", "teacher")),
        ):
            if choice not in known:
                raise ValueError(f"{name}: '{choice}' is neither '{known[0]}' nor '{known[1]}'")
        self.cell_lines, self.width, self.statistics, self.folds = cell_lines, width, statistics, folds
        self.scope, self.baseline, self.push, self.pull = scope, baseline, push, pull
        self.momentum, self.margin, self.warmup = momentum, margin, warmup
        built = LOSSES.build(task)
        if not isinstance(built, TaskLoss):
            raise ValueError(f"task: '{task}' is not a task loss that one episode has by itself")
        self.task = built
        self.opportunists = nn.ModuleList(Opportunist(statistics, width, nonnegative) for _ in range(folds))

    def initial_state(self) -> State:
        """seen/ and hidden/: a Standing each; z_s [C, w], z_o [C, K, w], r_s [C], r_o [C, K], met [C]: running
        representations and resistances of the cell lines; mean, square, weight: the Standardiser; acted, pulled [C]:
        running share of episodes in which push-away and pull-in were not 0; task/: the task loss's own state."""
        lines = self.cell_lines if self.scope == "cell" else 1
        standing = Standing(*(torch.zeros(lines) for _ in Standing._fields))
        return {
            **{f"seen/{name}": value.clone() for name, value in standing._asdict().items()},
            **{f"hidden/{name}": value.clone() for name, value in standing._asdict().items()},
            **Standardiser.initial(self.statistics)._asdict(),
            "z_s": torch.zeros(self.cell_lines, self.width),
            "z_o": torch.zeros(self.cell_lines, self.folds, self.width),
            "r_s": torch.zeros(self.cell_lines),
            "r_o": torch.zeros(self.cell_lines, self.folds),
            "met": torch.zeros(self.cell_lines),
            "acted": torch.zeros(self.cell_lines),
            "pulled": torch.zeros(self.cell_lines),
            **{f"task/{name}": value for name, value in self.task.initial_state().items()},
        }

    def standings(self, state: State) -> tuple[Standing, Standing]:
        """(over seen episodes, over pseudo-unseen ones)."""
        seen, hidden = (
            Standing(*(state[f"{kind}/{name}"].detach() for name in Standing._fields))
            for kind in ("seen", "hidden")
        )
        return seen, hidden

    def shortcut(self, state: State) -> Tensor:
        """s_c [C] (or [1]) in [0, 1]: how far the Opportunist's advantage is one on seen episodes only."""
        seen, hidden = self.standings(state)
        ready = (seen.met >= max(self.warmup, 1)) & (hidden.met >= max(self.warmup, 1))
        lead, stable = (part.advantage / part.student.clamp(min=1e-8) for part in (seen, hidden))
        memory = lead - stable.clamp(min=0)
        return ready * ((memory - self.margin) / max(self.margin, 1e-6)).clamp(0, 1)

    def report(self, state: State, index: int) -> dict[str, Tensor]:
        """Per training cell line [C]: rho, rho_unseen (L_S over L_O), advantage, advantage_unseen (running means,
        nats), acted and pulled (running share of its episodes). One value for all of them under `scope: batch`."""
        seen, hidden = self.standings(state)
        values = {
            "rho": seen.rho(),
            "rho_unseen": hidden.rho(),
            "advantage": seen.advantage,
            "advantage_unseen": hidden.advantage,
        }
        shared = {name: value.expand(self.cell_lines) for name, value in values.items()}
        return {**shared, "acted": state["acted"], "pulled": state["pulled"]}

    def awake(self, state: State) -> State:
        """Every line met, the Student a tenth behind on seen episodes and ahead on pseudo-unseen ones; numbers such that
        push-away acts at any margin and that two configurations differ by what they read of them: half of the lines have
        few episodes behind them, half of the others an advantage that is a number of margins and holds in
        part on pseudo-unseen episodes, the rest one in nats."""
        met, ahead = torch.ones_like(state["seen/met"]), torch.ones_like(state["seen/met"])
        met[::2], met[1::2] = 15.0, 1.5
        ahead[:], ahead[2::4] = 0.002 + 1.65 * self.margin, 0.08
        unseen = torch.full_like(met, -0.1)
        unseen[::4] = 0.1 * self.margin
        standings: dict[str, tuple[float | Tensor, ...]] = {
            "seen": (1.1, 1.0, 1.0, ahead, met),
            "hidden": (0.9, 1.0, 1.0, unseen, met),
        }
        changed = {
            f"{kind}/{name}": torch.zeros_like(met) + value
            for kind, values in standings.items()
            for name, value in zip(Standing._fields, values, strict=True)
        }

        def spread(name: str, phase: float) -> Tensor:
            count = torch.arange(state[name].numel(), dtype=met.dtype, device=met.device)
            return torch.sin(phase + count).reshape(state[name].shape)

        running = {name: spread(name, k) for k, name in enumerate(("z_s", "z_o", "r_s", "r_o"))}
        return {**state, **changed, **running, "met": torch.ones_like(state["met"])}

    def rests(self, state: State) -> str:
        """Without a shortcut there is nothing to push away from, and a Student that is behind by less than the margin is
        not pulled in to speak of. The Opportunists learn all the same."""
        behind = bool((self._excess(state) > self.margin).any())
        if behind or bool((self.shortcut(state) > 0).any()):
            return ""
        return "no cell line has a shortcut, and the Student is behind in none by more than the margin"

    def _excess(self, state: State) -> Tensor:
        """h_c [C] (or [1])."""
        seen = self.standings(state)[0]
        warm = seen.met >= max(self.warmup, 1)
        return warm * (seen.student / seen.baseline.clamp(min=1e-8) - 1).clamp(0, 1)

    def forward(self, step: Step, state: State) -> tuple[Tensor, State]:
        shallow, r_heard, energy_of = step.shallow, step.r_heard, step.energy_of
        known = (step.cell >= 0).to(step.z_e.dtype)
        hidden = (step.pseudo_unseen > 0) & (step.cell >= 0)
        cell = step.cell.clamp(min=0)
        line = cell if self.scope == "cell" else torch.zeros_like(cell)
        scaled, scaler = self._scaled(shallow, state)
        z_o, r_o = (torch.stack(part) for part in zip(*(o(scaled) for o in self.opportunists), strict=True))
        opposing = energy_of(r_o.unsqueeze(-1))  # [K, E, Q]
        unknowing_s, unknowing_o = self._unknowing(energy_of, state)  # [E, Q], [K, E, Q]
        l_student = self._loss(step, state, energy_of(r_heard.unsqueeze(-1)))
        l_opportunists = self._loss(step, state, opposing)  # [K, E]

        place = torch.arange(self.folds, device=cell.device).unsqueeze(1)
        learns = (place != cell % self.folds) & (step.cell >= 0) & ~hidden
        judge = ((cell + (~hidden).to(cell.dtype)) % self.folds).unsqueeze(0)
        l_opportunist = l_opportunists.detach().gather(0, judge).squeeze(0)
        gain_s = self._loss(step, state, unknowing_s) - l_student.detach()
        gain_o = self._loss(step, state, unknowing_o).gather(0, judge).squeeze(0) - l_opportunist

        seen = self.standings(state)[0]
        pull = self.pull * self._excess(state).to(known.dtype)[line] * l_student
        shortcut = self.shortcut(state).to(known.dtype)[line]
        push = self.push * shortcut * self._alignment(step, z_o.detach(), cell, state)
        rho = seen.rho().clamp(1 / RHO_MAX, RHO_MAX).to(known.dtype)[line]
        pays = shortcut * float(self.push > 0)
        penalty = binary_cross_entropy_with_logits(opposing, unknowing_o.sigmoid(), reduction="none").mean(-1)
        learning = ((1 - pays) * l_opportunists + pays * penalty) / rho
        value = masked_mean(rho * (pull + push), known) + masked_mean(learning, learns.to(learning.dtype))

        baseline = l_opportunist
        if self.baseline == "teacher":
            baseline = self._loss(step, state, energy_of(step.r_teacher.unsqueeze(-1))).detach()
        standings = self._standings_after(
            step, state, (l_student.detach(), l_opportunist, baseline, gain_o - gain_s), hidden
        )
        now = {
            "z_s": step.z_e,
            "z_o": z_o.transpose(0, 1),
            "r_s": r_heard,
            "r_o": r_o.T,
            "acted": (push.detach() > 0).to(known.dtype),
            "pulled": (pull.detach() > 0).to(known.dtype),
        }
        running = {
            name: running_means(state[name], state["met"], step.cell, values, self.momentum)
            for name, values in now.items()
        }
        task = {f"task/{n}": part.detach() for n, part in self.task(step, self._of_task(state))[1].items()}
        means = {name: part for name, (part, _) in running.items()}
        return value, {**standings, **scaler._asdict(), **means, "met": running["z_s"][1], **task}

    def parts(self, step: Step, state: State) -> dict[str, Tensor]:
        """One episode after another, and one line after another what the state says of it."""
        task, lines = self._of_task(state), [0 if self.scope == "batch" else c for c in step.cell.tolist()]
        rho, excess, shortcut = zip(
            *(self._stands(state, k) for k in range(len(state["seen/met"]))), strict=True
        )
        scaled, _ = self._scaled(step.shallow, state)
        answers = [opportunist(scaled) for opportunist in self.opportunists]
        student = step.energy_of(step.r_heard.unsqueeze(-1))
        opposing = [step.energy_of(r.unsqueeze(-1)) for _, r in answers]
        unknowing = [self._without_line(step, state, k) for k in range(self.folds)]
        pull, push, opportunists = ([step.r_heard.new_zeros(())] for _ in range(3))
        known, learnt = 0, 0
        for e, (c, line) in enumerate(zip(step.cell.tolist(), lines, strict=True)):
            if c < 0:
                continue
            known += 1
            pull.append(
                rho[line] * self.pull * excess[line] * self.task.plain(student[e], step.label[e], task)
            )
            aligned = self._aligned(step.z_e[e], answers[(c + 1) % self.folds][0][e].detach(), c, state)
            push.append(rho[line] * self.push * shortcut[line] * aligned**2)
            pays = shortcut[line] if self.push > 0 else 0.0
            for k, logit in enumerate(opposing):
                if k == c % self.folds or float(step.pseudo_unseen[e]) > 0:
                    continue
                learnt += 1
                loss = self.task.plain(logit[e], step.label[e], task)
                known_to = unknowing[k][e]
                penalty = -(known_to * logsigmoid(logit[e]) + (1 - known_to) * logsigmoid(-logit[e]))
                opportunists.append(((1 - pays) * loss + pays * penalty.mean()) / rho[line])
        counts = {"pull": known, "push": known, "opportunists": learnt}
        sums = zip(counts, (pull, push, opportunists), strict=True)
        return {name: torch.stack(terms).sum() / max(1, counts[name]) for name, terms in sums}

    def _stands(self, state: State, line: int) -> tuple[float, float, float]:
        """rho, h and s of a line, of numbers."""
        seen, hidden = (
            {name: float(state[f"{kind}/{name}"][line]) for name in Standing._fields}
            for kind in ("seen", "hidden")
        )
        few = max(self.warmup, 1)
        rho = seen["student"] / max(seen["opportunist"], 1e-8) if seen["met"] > 0 else 1.0
        behind = seen["student"] / max(seen["baseline"], 1e-8) - 1 if seen["met"] >= few else 0.0
        lead, stable = (part["advantage"] / max(part["student"], 1e-8) for part in (seen, hidden))
        beyond = (lead - max(0.0, stable) - self.margin) / max(self.margin, 1e-6)
        met = min(seen["met"], hidden["met"]) >= few
        bounded = [min(1.0, max(0.0, share)) for share in (behind, beyond if met else 0.0)]
        return min(RHO_MAX, max(1 / RHO_MAX, rho)), bounded[0], bounded[1]

    @torch.no_grad()
    def _without_line(self, step: Step, state: State, k: int) -> Tensor:
        """P_0 [E, Q] of Opportunist k: the mean probability over the lines met that it learns from; 1/2 of none."""
        lines = [c for c in range(self.cell_lines) if c % self.folds != k and float(state["met"][c]) > 0]
        told = [step.energy_of(state["r_o"][c, k].reshape(1, 1)).sigmoid() for c in lines]
        return torch.stack(told).mean(0) if told else torch.full_like(step.logit, 0.5)

    def _aligned(self, z_s: Tensor, z_o: Tensor, cell: int, state: State) -> Tensor:
        """a_e of one episode: z_s [w] of the Student, z_o [w] of the Opportunist that judges it."""
        met = state["met"] > 0
        others = met.clone()
        others[cell] = False
        if int(others.sum()) < 2:
            return z_s.new_zeros(())
        profiles = []
        for now, running in ((z_s, state["z_s"]), (z_o, state["z_o"][:, (cell + 1) % self.folds])):
            centre = running[met].mean(0).to(now.dtype)
            profiles.append(_cosine(now - centre, running[others].to(now.dtype) - centre))
        return _cosine(profiles[0], profiles[1])

    def _scaled(self, shallow: Tensor, state: State) -> tuple[Tensor, Standardiser]:
        """The support sets' mean statistics [E, f], standardised, and the Standardiser after the step."""
        x = shallow.detach().mean(1)
        after = Standardiser(state["mean"], state["square"], state["weight"]).update(x, 0.99)
        return after.apply(x), after

    def _of_task(self, state: State) -> State:
        """State of the task loss."""
        return {n.removeprefix("task/"): value for n, value in state.items() if n.startswith("task/")}

    def _loss(self, step: Step, state: State, logit: Tensor) -> Tensor:
        """Task loss [..., E] of each query with logits [..., E, Q]."""
        return self.task.of_episodes(logit, step.label, self._of_task(state))

    def _unknowing(self, energy_of: Callable[[Tensor], Tensor], state: State) -> tuple[Tensor, Tensor]:
        """Logits of P_0 of the Student [E, Q] and of the Opportunists [K, E, Q], without gradient."""
        met, r_s, r_o = (state[name].detach() for name in ("met", "r_s", "r_o"))
        lines = torch.arange(self.cell_lines, device=met.device).unsqueeze(1)
        learnt = met.unsqueeze(1) * (lines % self.folds != torch.arange(self.folds, device=met.device))
        with torch.no_grad():
            students = energy_of(r_s[:, None, None])  # [C, E, Q]
            opportunists = energy_of(r_o[:, :, None, None])  # [C, K, E, Q]
        return (
            mixture_logit(students, met[:, None, None]),
            mixture_logit(opportunists, learnt[:, :, None, None]),
        )

    def _alignment(self, step: Step, z_now: Tensor, cell: Tensor, state: State) -> Tensor:
        """a_e^2 [E]; z_now [K, E, w] without gradient."""
        met = state["met"].detach().to(step.z_e.dtype)
        z_s = state["z_s"].detach().to(step.z_e.dtype)
        z_o = state["z_o"].detach().to(step.z_e.dtype)
        mine, other = profile_alignment(step.z_e, cell, z_s, met)
        theirs = torch.stack([profile_alignment(z, cell, z_o[:, k], met)[0] for k, z in enumerate(z_now)], 1)
        judge = ((cell + 1) % self.folds).reshape(-1, 1, 1).expand(-1, 1, theirs.shape[2])
        enough = (other.sum(1) >= 2).to(mine.dtype)
        return enough * alike(mine, theirs.gather(1, judge).squeeze(1), other).square()

    def _standings_after(
        self, step: Step, state: State, values: tuple[Tensor, ...], hidden: Tensor
    ) -> dict[str, Tensor]:
        """Both standings after the step, as entries of the state."""
        line = step.cell if self.scope == "cell" else torch.where(step.cell >= 0, 0, -1)
        seen, unseen = self.standings(state)
        updated = {
            "seen": seen.update(torch.where(hidden, -1, line), values, self.momentum),
            "hidden": unseen.update(torch.where(hidden, line, -1), values, self.momentum),
        }
        return {f"{kind}/{n}": value for kind, part in updated.items() for n, value in part._asdict().items()}


def _cosine(x: Tensor, y: Tensor) -> Tensor:
    """x [n], y [..., n] -> cosines [...], with lengths as in `models.losses.profiles`, which a collapse of z_E feels."""
    return y @ x / ((x @ x + 1e-12) * ((y * y).sum(-1) + 1e-12)) ** 0.5
