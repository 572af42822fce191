"""Prints what Google's dp-accounting says of a grid of trainings: one line each of
rate, noise multiplier, steps, delta, and epsilon by RDP, by PLD from above and by PLD from below.

Poisson sampling, neighbours that differ by adding or removing one record.
"""

import logging

import dp_accounting
from dp_accounting.pld import pld_privacy_accountant, privacy_loss_distribution
from dp_accounting.rdp import rdp_privacy_accountant

RATES = (0.001, 0.02, 0.3, 1.0)
NOISES = (0.7, 1.5, 6.0)
STEPS = (1, 40, 1000)
DELTAS = (1e-5, 1e-8)
# Nobody plans such a training, and its losses take the longest to convolve.
LARGEST_EPSILON = 30.0


def main():
    logging.disable(logging.WARNING)
    for rate in RATES:
        for noise in NOISES:
            step = dp_accounting.GaussianDpEvent(noise)
            if rate < 1.0:
                step = dp_accounting.PoissonSampledDpEvent(rate, step)
            # The default is too coarse for losses that are mostly smaller than it.
            interval = 1e-4 if rate / noise > 1e-3 else 1e-5
            below = privacy_loss_distribution.from_gaussian_mechanism(
                noise,
                pessimistic_estimate=False,
                value_discretization_interval=interval,
                use_connect_dots=False,
                sampling_prob=rate,
            )
            for steps in STEPS:
                training = dp_accounting.SelfComposedDpEvent(step, steps)
                rdp = rdp_privacy_accountant.RdpAccountant().compose(training)
                if rdp.get_epsilon(DELTAS[-1]) > LARGEST_EPSILON:
                    continue
                pld = pld_privacy_accountant.PLDAccountant(
                    value_discretization_interval=interval
                ).compose(training)
                least = below.self_compose(steps)
                for delta in DELTAS:
                    epsilons = (
                        rdp.get_epsilon(delta),
                        pld.get_epsilon(delta),
                        least.get_epsilon_for_delta(delta),
                    )
                    print(rate, noise, steps, delta, *map(float, epsilons))


if __name__ == "__main__":
    main()
