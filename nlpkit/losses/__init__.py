"""Losses that torch lacks: sampled, contrastive, and mutual-information bounds; torch only."""

from nlpkit.losses.contrastive import NTXentLoss, SupConLoss, nt_xent_loss, sup_con_loss
from nlpkit.losses.gather import GatheredRows, gather_rows, share_of_mean
from nlpkit.losses.info_nce import InfoNCELoss, info_nce_loss
from nlpkit.losses.moco_queue import MoCoQueue
from nlpkit.losses.mutual_information import (
    NWJ,
    DonskerVaradhan,
    JensenShannon,
    donsker_varadhan_loss,
    jensen_shannon_loss,
    joint_and_marginal,
    nwj_loss,
)
from nlpkit.losses.sampled import (
    NCELoss,
    NegativeSamplingLoss,
    SampledSoftmaxLoss,
    nce_loss,
    negative_sampling_loss,
    sampled_softmax_loss,
)
from nlpkit.losses.samplers import NegativeSample, Sampler

__all__ = [
    "NWJ",
    "DonskerVaradhan",
    "GatheredRows",
    "InfoNCELoss",
    "JensenShannon",
    "MoCoQueue",
    "NCELoss",
    "NTXentLoss",
    "NegativeSample",
    "NegativeSamplingLoss",
    "SampledSoftmaxLoss",
    "Sampler",
    "SupConLoss",
    "donsker_varadhan_loss",
    "gather_rows",
    "info_nce_loss",
    "jensen_shannon_loss",
    "joint_and_marginal",
    "nce_loss",
    "negative_sampling_loss",
    "nt_xent_loss",
    "nwj_loss",
    "sampled_softmax_loss",
    "share_of_mean",
    "sup_con_loss",
]
