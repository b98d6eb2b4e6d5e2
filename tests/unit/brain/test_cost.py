"""The vendors' own worked examples and the figures that follow from their lists."""

import numpy as np
import pytest

from cloudflux.brain import cost
from cloudflux.brain.automatic import expected_step_shares, steps_by_day
from cloudflux.brain.prices import BYTES_PER_GB, DAYS_PER_MONTH, load_table
from cloudflux.errors import PriceUnknown

GB = 2**30
S3, AZURE, GCS = (load_table(name, None) for name in ("s3", "azure", "gcs"))


def one(value):
    return np.array([float(value)])


def test_azure_bills_the_9_days_that_are_missing_to_30():
    month = cost.storage_per_month(AZURE, "Cool", one(GB))
    fee = cost.early_deletion(AZURE, "Cool", one(GB), one(21))
    assert fee == pytest.approx(month * 9 / DAYS_PER_MONTH)
    assert fee == pytest.approx([0.0152 * 9 / 30.4375])


def test_no_early_deletion_after_the_minimum_duration():
    assert cost.early_deletion(AZURE, "Cool", one(GB), one(30)) == pytest.approx([0])


@pytest.mark.parametrize(
    ("table", "hot", "cold", "reads"),
    [
        (S3, "STANDARD", "STANDARD_IA", 1.05),
        (S3, "STANDARD", "GLACIER_IR", 0.63),
        (S3, "STANDARD_IA", "GLACIER_IR", 0.425),
        (GCS, "STANDARD", "NEARLINE", 1.0),
        (GCS, "NEARLINE", "COLDLINE", 0.6),
        (GCS, "COLDLINE", "ARCHIVE", 0.093),
        (AZURE, "Hot", "Cool", 0.56),
        (AZURE, "Hot", "Cold", 0.573),
        (AZURE, "Cool", "Cold", 0.58),
    ],
)
def test_break_even_reads_a_month_of_large_objects(table, hot, cold, reads):
    size = one(1000 * GB)  # request fees vanish
    rent = cost.storage_per_month(table, hot, size) - cost.storage_per_month(table, cold, size)
    per_read = cost.read_cost(table, cold, size) - cost.read_cost(table, hot, size)
    assert rent / per_read == pytest.approx([reads], abs=0.005)


@pytest.mark.parametrize(
    ("source", "target", "gigabytes", "days"),
    [
        ("STANDARD", "STANDARD_IA", 1, 29),
        ("STANDARD", "GLACIER_IR", 1, 48),
        ("STANDARD", "STANDARD_IA", 0.001, 58),
        ("STANDARD", "GLACIER_IR", 0.001, 80),
    ],
)
def test_idle_days_after_which_a_move_and_one_read_have_paid(source, target, gigabytes, days):
    size = one(gigabytes * GB)
    move = cost.class_change(S3, source, target, size, one(400))
    retrieval = S3.figure(target, "retrieval_per_gb") * gigabytes
    saved = cost.storage_per_month(S3, source, size) - cost.storage_per_month(S3, target, size)
    assert (move + retrieval) / (saved / DAYS_PER_MONTH) == pytest.approx([days], abs=0.6)


def test_small_objects_are_billed_at_the_minimum_size():
    small = cost.storage_per_month(S3, "STANDARD_IA", one(10_000))
    assert small == pytest.approx([128 * 1024 / GB * 0.0125])


def test_archived_objects_carry_40_kib_of_overhead():
    empty = cost.storage_per_month(S3, "DEEP_ARCHIVE", one(0))
    assert empty == pytest.approx([(32 * 1024 * 0.00099 + 8 * 1024 * 0.023) / GB])


def test_a_promotion_pays_retrieval_and_the_write():
    fee = cost.class_change(S3, "GLACIER_IR", "STANDARD", one(GB), one(100))
    assert fee == pytest.approx([0.03 + 0.005 / 1000])


def test_a_large_copy_pays_for_its_parts():
    fee = cost.class_change(S3, "STANDARD", "GLACIER_IR", one(6 * GB), one(0))
    assert fee == pytest.approx([(12 + 2) * 0.02 / 1000])


def test_a_move_to_another_region_pays_both_copies_and_the_way():
    args = (S3, "STANDARD", S3, "STANDARD", one(GB), one(10))
    near = cost.location_change(*args, crosses_region=False, double_copy_days=0)
    far = cost.location_change(*args, crosses_region=True, double_copy_days=0)
    slow = cost.location_change(*args, crosses_region=False, double_copy_days=7)
    assert far - near == pytest.approx([0.02])
    assert slow - near == pytest.approx([0.023 * 7 / DAYS_PER_MONTH])


def test_intelligent_tiering_rent_steps_down_with_idle_days_and_pays_monitoring():
    size = np.full(4, float(GB))
    rent = cost.storage_per_month(S3, "INTELLIGENT_TIERING", size, np.array([0, 29, 30, 90]))
    monitoring = 0.0025 / 1000
    assert rent == pytest.approx(np.array([0.023, 0.023, 0.0125, 0.004]) + monitoring)


def test_small_objects_never_tier_and_are_not_monitored():
    rent = cost.storage_per_month(S3, "INTELLIGENT_TIERING", one(100_000), one(200))
    assert rent == pytest.approx([100_000 / GB * 0.023])


@pytest.mark.parametrize("idle", [0, 10, 45, 200])
@pytest.mark.parametrize("rate", [0.0, 0.02, 0.3])
def test_expected_time_on_each_step_agrees_with_a_day_by_day_replay(rate, idle):
    days, runs = 180, 4000
    random = np.random.default_rng(3)
    clock, on_step = np.full(runs, idle), np.zeros(3)
    for _ in range(days):
        step = np.where(clock >= 90, 2, np.where(clock >= 30, 1, 0))
        on_step += np.bincount(step, minlength=3) / runs
        clock = np.where(random.random(runs) < 1 - np.exp(-rate), 0, clock)
        clock = clock + 1
    # The replay's clock shows 1 after the day of a read, the closed form 0: one day of leeway.
    shares = expected_step_shares(one(rate), one(idle), days, [30, 90])
    assert np.concatenate(shares) == pytest.approx(on_step / days, abs=0.02)
    assert sum(shares) == pytest.approx([1.0])


def test_steps_by_day_follow_the_providers_rule():
    reads = np.zeros((3, 120), dtype=int)
    reads[1, 40] = 1
    steps = steps_by_day(reads, np.array([0.0, 0.0, 85.0]), [30, 90])
    assert (steps[0, :30] == 0).all()
    assert (steps[0, 30:90] == 1).all()
    assert (steps[0, 90:] == 2).all()
    assert steps[1, 39:41].tolist() == [1, 0], "a read brings it back at once"
    assert steps[1, 69:71].tolist() == [0, 1]
    assert steps[2, 4:6].tolist() == [1, 2], "an idle clock goes on"


@pytest.mark.parametrize("rate", [0.005, 0.05])
def test_the_expected_shares_agree_with_the_exact_rule(rate):
    reads = np.random.default_rng(5).random((20_000, 180)) < 1 - np.exp(-rate)
    steps = steps_by_day(reads, np.zeros(20_000), [30, 90])
    exact = [(steps == step).mean() for step in range(3)]
    shares = expected_step_shares(one(rate), one(0), 180, [30, 90])
    assert np.concatenate(shares) == pytest.approx(exact, abs=0.02)


def test_amazon_counts_byte_hours_in_binary_gigabytes():
    """S3 FAQ: 2,638,827,906,662,400 byte-hours in a month of 31 days are some 3,303 GB-months."""
    assert int(2_638_827_906_662_400 / (31 * 24) / BYTES_PER_GB) == 3303


def test_restoring_15_million_objects_of_100_tb_costs_1774_dollars():
    """The Knowledge Center's example: Standard retrieval of 15 million objects, 100 TB."""
    size = np.full(1, 100 * 2**40 / 15e6)
    restore = cost.read_cost(S3, "GLACIER", size) - S3.figure("GLACIER", "get_per_1k") / 1000
    assert restore * 15e6 == pytest.approx([1774], abs=1)


def test_monitoring_53_819_565_objects_costs_134_dollars_a_month():
    size = np.full(1, 2.4 * 2**20)
    with_fee = cost.storage_per_month(S3, "INTELLIGENT_TIERING", size)
    rent = size / GB * 0.023
    assert (with_fee - rent) * 53_819_565 == pytest.approx([134.55], abs=0.01)


def test_10_dollars_bring_a_million_objects_to_intelligent_tiering_by_lifecycle():
    assert S3.figure("INTELLIGENT_TIERING", "transition_in_per_1k") * 1000 == pytest.approx(10)


def test_azure_bills_a_write_downwards_and_a_read_with_retrieval_upwards():
    down = cost.class_change(AZURE, "Hot", "Cool", one(GB), one(100))
    up = cost.class_change(AZURE, "Cool", "Hot", one(GB), one(100))
    rehydrated = cost.class_change(AZURE, "Archive", "Hot", one(GB), one(200))
    assert down == pytest.approx([0.010 / 1000])
    assert up == pytest.approx([0.01 + 0.001 / 1000])
    assert rehydrated == pytest.approx([0.02 + 0.5 / 1000])


def test_azure_sets_the_tier_of_a_large_blob_in_one_operation():
    large = cost.class_change(AZURE, "Hot", "Cool", one(100 * GB), one(100))
    assert large == pytest.approx([0.010 / 1000])


def test_google_bills_a_rewrite_at_the_target_and_retrieval_at_the_source():
    down = cost.class_change(GCS, "STANDARD", "COLDLINE", one(GB), one(100))
    up = cost.class_change(GCS, "COLDLINE", "STANDARD", one(GB), one(100))
    assert down == pytest.approx([0.02 / 1000])
    assert up == pytest.approx([0.02 + 0.005 / 1000])


ZONAL = {
    "azure": {
        "eastus": {
            "classes": {
                "Smart": {
                    "storage_per_gb_month": 0.026,
                    "storage_per_gb_month_after_30d": 0.019,
                    "storage_per_gb_month_after_90d": 0.0045,
                    "put_per_1k": 0.00625,
                }
            }
        }
    }
}


def test_smart_tier_steps_down_is_monitored_and_leaving_it_bills_a_cool_write():
    with pytest.raises(PriceUnknown, match="storage_per_gb_month of Smart"):
        cost.storage_per_month(AZURE, "Smart", one(GB))
    table = load_table("azure", "eastus", ZONAL)
    idle = np.array([0.0, 30.0, 90.0])
    rent = cost.storage_per_month(table, "Smart", np.full(3, float(GB)), idle)
    assert rent == pytest.approx(np.array([0.026, 0.019, 0.0045]) + 0.004 / 1000)
    small = cost.storage_per_month(table, "Smart", one(100_000), one(200))
    assert small == pytest.approx([100_000 / GB * 0.026]), "stays hot, without the fee"
    entering = cost.class_change(table, "Hot", "Smart", one(GB), one(1))
    leaving = cost.class_change(table, "Smart", "Cold", one(GB), one(1))
    assert entering == pytest.approx([0.0])
    assert leaving == pytest.approx([(0.018 + 0.010) / 1000])


def test_autoclass_ends_at_nearline_unless_archive_is_opted_in():
    size, idle = np.full(4, float(GB)), np.array([0.0, 30.0, 90.0, 365.0])
    fee = 0.0025 / 1000 * DAYS_PER_MONTH / 30
    plain = cost.storage_per_month(GCS, "AUTOCLASS", size, idle)
    deep = cost.storage_per_month(GCS, "AUTOCLASS_ARCHIVE", size, idle)
    assert plain == pytest.approx(np.array([0.02, 0.01, 0.01, 0.01]) + fee)
    assert deep == pytest.approx(np.array([0.02, 0.01, 0.004, 0.0012]) + fee)
    assert cost.early_deletion(GCS, "AUTOCLASS", one(GB), one(0)) == pytest.approx([0])
