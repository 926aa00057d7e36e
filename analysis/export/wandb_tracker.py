from analysis.export.tracker import Tracker


class WandbTracker(Tracker):
    key = "wandb"
    client = "wandb"
    opened = "wandb"

    def write(self, run, before):
        return ""
