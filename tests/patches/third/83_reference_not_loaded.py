"""Loading weights forgets the reference of the training cell lines.

The weights of the selected epoch are evaluated, and predictions and embeddings are written, with the running R_E and
z_E of the last epoch; a resumed trial goes on with an empty reference. Energies that standardise R_E, sample scope and
the prior over cell lines read it.
"""
import harness.trial.step.trainer as trainer

PRESET = "rp22"
SET = {"energy.form": "gated"}


def load_weights(self, state):
    self.model.load_state_dict(state["model"])
    self.terms.load_state_dict(state["terms"])
    self.balance_state = {name: value.cpu() for name, value in state["balance"].items()}
    self.states = {
        key: {k: v.to(self.device) for k, v in values.items()} for key, values in state["states"].items()
    }
    self.memory = {name: value.to(self.device) for name, value in state["memory"].items()}
    self.index = state["index"]


trainer.Trainer.load_weights = load_weights
