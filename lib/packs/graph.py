"""The synthesis of a `VitsModel` as a module that can be exported as a graph.

transformers' forward cannot be exported: it decides by the length of the text in Python, draws
noise that nobody can give, and takes scales from its configuration. The parts of the model are its
own; here are what lies between them and replacements for what a graph cannot hold.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import pad, softmax, softplus
from transformers import VitsModel
from transformers.models.vits.modeling_vits import VitsAttention

_MIN_BIN = 1e-3
_MIN_DERIVATIVE = 1e-3


class SynthesisGraph(nn.Module):
    """Tokens in, waveform out.

    Parameters
    ----------
    model
        The model with fused weight norm in the decoder. Its attention layers are changed.
    """

    def __init__(self, model: VitsModel) -> None:
        super().__init__()
        self.model = model.eval()
        for layer in model.text_encoder.encoder.layers:
            if layer.attention.window_size:
                layer.attention.__class__ = RelativeAttention

    def forward(
        self,
        x: Tensor,
        x_length: Tensor,
        noise_scale: Tensor,
        length_scale: Tensor,
        noise_scale_w: Tensor,
        sid: Tensor | None,
        noise_w: Tensor,
        noise: Tensor,
    ) -> Tensor:
        """Return the waveform, ``(1, samples)``.

        Parameters
        ----------
        x
            ``(1, tokens)`` long: token ids, blanks included.
        x_length
            ``(1,)`` long: how many of them are read.
        noise_scale, length_scale, noise_scale_w
            ``(1,)`` float: noise of the sound, length of the speech, noise of the durations.
        sid
            ``(1,)`` long: row in the speaker table. None for a model with one speaker.
        noise_w
            ``(1, 2, given)`` float: noise of the durations. Random where it is too short.
        noise
            ``(1, channels, given)`` float: noise of the sound. Random where it is too short.
        """
        model = self.model
        ids = x[:, : x_length[0]]
        mask = torch.ones_like(ids).unsqueeze(-1).to(torch.float32)
        condition = None if sid is None else model.embed_speaker(sid).unsqueeze(-1)
        encoded = model.text_encoder(input_ids=ids, padding_mask=mask, attention_mask=None)
        hidden, mask = encoded.last_hidden_state.transpose(1, 2), mask.transpose(1, 2)
        if model.config.use_stochastic_duration_prediction:
            log_durations = self._draw_log_durations(
                hidden, mask, condition, noise_w, noise_scale_w
            )
        else:
            log_durations = model.duration_predictor(hidden, mask, condition)
            # What is not used would not become an input of the graph.
            log_durations = log_durations + 0 * (noise_scale_w + noise_w.sum())
        durations = torch.ceil(torch.exp(log_durations) * length_scale)
        place = _find_tokens(durations)
        means = encoded.prior_means.transpose(1, 2)[:, :, place]
        deviations = torch.exp(encoded.prior_log_variances.transpose(1, 2))[:, :, place]
        latents = means + _fill_noise(noise, means) * deviations * noise_scale
        frame_mask = torch.ones_like(latents[:, :1])
        latents = model.flow(latents, frame_mask, condition, reverse=True)
        return model.decoder(latents, condition).squeeze(1)

    def _draw_log_durations(
        self, hidden: Tensor, mask: Tensor, condition: Tensor | None, noise: Tensor, scale: Tensor
    ) -> Tensor:
        """Run the stochastic duration predictor backwards, ``(1, 1, tokens)``."""
        predictor = self.model.duration_predictor
        x = predictor.conv_pre(hidden)
        if condition is not None:
            x = x + predictor.cond(condition)
        x = predictor.conv_proj(predictor.conv_dds(x, mask))
        latents = _fill_noise(noise, x[:, :2]) * scale
        # The first coupling layer is not used backwards, as in original VITS.
        affine, _, *couplings = predictor.flows
        for coupling in reversed(couplings):
            latents = _uncouple(coupling, torch.flip(latents, [1]), mask, x)
        latents = torch.flip(latents, [1])
        latents = (latents - affine.translate) * torch.exp(-affine.log_scale)
        return latents[:, :1]


class RelativeAttention(VitsAttention):
    """Attention with relative positions, of which the length of the text is no constant.

    The embeddings get a row of zeros at both ends. Every distance beyond the window is looked up
    there.
    """

    def _get_relative_embeddings(self, relative_embeddings: Tensor, length: int) -> Tensor:
        return pad(relative_embeddings, (0, 0, 1, 1))

    def _relative_position_to_absolute_position(self, x: Tensor) -> Tensor:
        """Return ``(heads, tokens, tokens)`` of ``(heads, tokens, distances)``."""
        place = torch.arange(x.size(1))
        distance = place.unsqueeze(0) - place.unsqueeze(1)
        edge = self.window_size + 1
        index = distance.clamp(-edge, edge) + edge
        return x.gather(-1, index.unsqueeze(0).expand(x.size(0), -1, -1))

    def _absolute_position_to_relative_position(self, x: Tensor) -> Tensor:
        """Return ``(heads, tokens, distances)`` of ``(heads, tokens, tokens)``."""
        edge = self.window_size + 1
        index = torch.arange(x.size(1)).unsqueeze(1) + torch.arange(2 * edge + 1).unsqueeze(0)
        return pad(x, (edge, edge)).gather(-1, index.unsqueeze(0).expand(x.size(0), -1, -1))


def _find_tokens(durations: Tensor) -> Tensor:
    """Return the token of every frame, ``(frames,)`` long; at least one frame.

    Parameters
    ----------
    durations
        ``(1, 1, tokens)`` whole frames per token.
    """
    ends = torch.cumsum(durations[0, 0], 0)
    frames = torch.arange(torch.clamp_min(ends[-1], 1).to(torch.long))
    place = (ends.unsqueeze(0) <= frames.unsqueeze(1)).to(torch.long).sum(1)
    return torch.clamp_max(place, durations.size(2) - 1)


def _fill_noise(given: Tensor, like: Tensor) -> Tensor:
    """Return noise of the shape of `like`: what is given, and random numbers after it."""
    return torch.cat([given, torch.randn_like(like)], -1)[:, :, : like.size(2)]


def _uncouple(flow: nn.Module, latents: Tensor, mask: Tensor, condition: Tensor) -> Tensor:
    """Undo a coupling layer: the second channel goes backwards through its spline."""
    first, second = torch.split(latents, [flow.half_channels] * 2, dim=1)
    h = flow.conv_proj(flow.conv_dds(flow.conv_pre(first), mask, condition))
    # (1, channels, tokens, parameters of the spline)
    h = h.view(1, flow.half_channels, 3 * flow.num_bins - 1, -1).permute(0, 1, 3, 2)
    scale = math.sqrt(flow.filter_channels)
    bins = flow.num_bins
    widths, heights = h[..., :bins] / scale, h[..., bins : 2 * bins] / scale
    second = invert_spline(second, widths, heights, h[..., 2 * bins :], flow.tail_bound)
    return torch.cat([first, second], 1)


def invert_spline(
    outputs: Tensor, widths: Tensor, heights: Tensor, derivatives: Tensor, bound: float
) -> Tensor:
    """Return the inputs of a monotonic spline (Durkan et al. 2019, arXiv 1906.04032, section 3.1).

    The parameters are those of `lib.vits.duration.rational_quadratic_spline`. Outside of
    [-bound, bound] it is the identity.
    """
    inside = (outputs >= -bound) & (outputs <= bound)
    y = outputs.clamp(-bound, bound)
    edge = math.log(math.exp(1 - _MIN_DERIVATIVE) - 1)
    derivatives = _MIN_DERIVATIVE + softplus(pad(derivatives, (1, 1), value=edge))
    knots_x, knots_y = _find_knots(widths, bound), _find_knots(heights, bound)
    index = (y.unsqueeze(-1) >= knots_y[..., 1:-1]).to(torch.long).sum(-1, keepdim=True)

    def at(values: Tensor) -> Tensor:
        return values.gather(-1, index).squeeze(-1)

    left, bottom = at(knots_x[..., :-1]), at(knots_y[..., :-1])
    width, height = at(knots_x[..., 1:]) - left, at(knots_y[..., 1:]) - bottom
    d_left, d_right = at(derivatives[..., :-1]), at(derivatives[..., 1:])
    slope = height / width
    above, bend = y - bottom, d_left + d_right - 2 * slope
    a = height * (slope - d_left) + above * bend
    b = height * d_left - above * bend
    c = -slope * above
    # Rounding can make the discriminant of a double root negative.
    root = 2 * c / (-b - torch.sqrt(torch.clamp_min(b.square() - 4 * a * c, 0)))
    return torch.where(inside, root * width + left, outputs)


def _find_knots(unnormalised: Tensor, bound: float) -> Tensor:
    """Return the positions ``(..., bins + 1)`` of the knots, from -bound to bound."""
    bins = unnormalised.shape[-1]
    sizes = _MIN_BIN + (1 - _MIN_BIN * bins) * softmax(unnormalised, dim=-1)
    inner = 2 * bound * torch.cumsum(sizes, -1)[..., :-1] - bound
    return pad(pad(inner, (1, 0), value=-bound), (0, 1), value=bound)
