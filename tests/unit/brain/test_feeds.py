"""The vendors' price lists, in their recorded shapes, each with its traps."""

import copy
import json

import pytest

from cloudflux.brain.feeds import aws, azure, gcs
from cloudflux.brain.feeds.found import FeedError
from cloudflux.brain.prices import load_table

LOCATION = "EU (Frankfurt)"


class Offer:
    """An offer file of Amazon's, in the shape of the real ones."""

    def __init__(self, prefix=""):
        self.prefix, self.products, self.terms = prefix, {}, {}

    def add(self, usage_type, *bands, unit="GB-Mo", family="", region=True, **attributes):
        sku = f"SKU{len(self.products):05}"
        prefix = self.prefix if region else ""
        self.products[sku] = {
            "sku": sku,
            "productFamily": family,
            "attributes": {"usagetype": prefix + usage_type, "location": LOCATION, **attributes},
        }
        self.terms[sku] = {
            f"{sku}.JRTCKXETXF": {
                "priceDimensions": {
                    f"{sku}.JRTCKXETXF.{number}": {
                        **({"beginRange": begin} if begin is not None else {}),
                        "unit": unit,
                        "pricePerUnit": {"USD": price},
                    }
                    for number, (begin, price) in enumerate(bands)
                }
            }
        }
        return self

    def gb(self, usage_type, price, **attributes):
        return self.add(usage_type, ("0", price), **attributes)

    def requests(self, usage_type, price, **attributes):
        return self.add(usage_type, ("0", price), unit="Requests", **attributes)

    def done(self):
        return {
            "publicationDate": "2026-10-02T17:05:11Z",
            "products": self.products,
            "terms": {"OnDemand": self.terms},
        }


def s3_offer(prefix="EUC1-"):
    offer = Offer(prefix)
    offer.add(
        "TimedStorage-ByteHrs",
        ("51200", "0.0235000000"),
        ("0", "0.0245000000"),
        ("512000", "0.0225000000"),
        family="Storage",
        volumeType="Standard",
        storageClass="General Purpose",
    )
    for usage_type, price in {
        "TimedStorage-INT-FA-ByteHrs": "0.0245",
        "TimedStorage-INT-IA-ByteHrs": "0.0135",
        "TimedStorage-INT-AIA-ByteHrs": "0.0058",
        "TimedStorage-SIA-ByteHrs": "0.0135",
        "TimedStorage-ZIA-ByteHrs": "0.0108",
        "TimedStorage-GIR-ByteHrs": "0.005",
        "TimedStorage-GlacierByteHrs": "0.00405",
        "TimedStorage-INT-DAA-ByteHrs": "0.0018",
        "TimedStorage-GDA-Staging": "0.0225",
        "Retrieval-SIA": "0.01",
        "Retrieval-ZIA": "0.01",
        "Retrieval-GIR": "0.03",
    }.items():
        offer.gb(usage_type, price)
    for usage_type, price in {
        "Requests-Tier1": "0.0000054",
        "Requests-Tier2": "0.00000043",
        "Requests-INT-Tier1": "0.0000054",
        "Requests-INT-Tier2": "0.00000043",
        "Requests-SIA-Tier1": "0.00001",
        "Requests-SIA-Tier2": "0.000001",
        "Requests-ZIA-Tier1": "0.00001",
        "Requests-ZIA-Tier2": "0.000001",
        "Requests-GIR-Tier1": "0.00002",
        "Requests-GIR-Tier2": "0.00001",
        "Requests-GLACIER-Tier2": "0.00000043",
        "Requests-GDA-Tier2": "0.00000043",
        "Requests-Tier4": "0.00001",
    }.items():
        offer.requests(usage_type, price)
    offer.requests("Requests-Tier3", "0.00006", operation="RestoreObject")
    offer.requests("Requests-Tier3", "0.000036", operation="S3-GlacierTransition")
    offer.requests("Requests-Tier3", "0.00007", operation="S3-GDATransition")
    offer.requests("Requests-Tier3", "0.00012", operation="DeepArchiveRestoreObject")
    offer.requests("Requests-GLACIER-Tier1", "0.000036", operation="PutObject")
    offer.requests("Requests-GLACIER-Tier1", "0.00005", operation="UploadPart")
    offer.gb("Standard-Retrieval-Bytes", "0.012", operation="RestoreObject")
    offer.gb("Standard-Retrieval-Bytes", "0.024", operation="DeepArchiveRestoreObject")
    offer.add("Monitoring-Automation-INT", ("0", "0.0000025"), unit="Objects")
    return offer


def transfer_offer():
    to_internet = {
        "fromLocation": LOCATION,
        "fromLocationType": "AWS Region",
        "toLocation": "External",
        "transferType": "AWS Outbound",
    }
    offer = Offer("EUC1-")
    offer.add("DataTransfer-Out-Bytes", ("0", "0.09"), ("10240", "0.085"), unit="GB", **to_internet)
    offer.add("DataTransfer-Out-Bytes", ("0", "0.0"), unit="GB", **to_internet)
    offer.add("Global-DataTransfer-Out-Bytes", ("0", "0.2"), unit="GB", region=False, **to_internet)
    offer.add("DataTransfer-In-Bytes", ("0", "0.0"), unit="GB", fromLocation="External")
    return offer.done()


def test_an_offer_file_fills_every_class_and_the_result_is_an_overlay():
    found = aws.parse(s3_offer().done(), transfer_offer())
    assert found.as_of == "2026-10-02"
    overlay = json.loads(json.dumps({"s3": {"eu-central-1": found.section()}}))
    table = load_table("s3", "eu-central-1", overlay)
    assert table.figure("STANDARD_IA", "put_per_1k") == 0.01
    assert table.figure("STANDARD", "get_per_1k") == 0.00043
    assert table.figure("INTELLIGENT_TIERING", "monitoring_per_1k_month") == 0.0025
    assert table.unknown("INTELLIGENT_TIERING") == ()
    assert table.prices("STANDARD").figures["get_per_1k"].source == "aws-offer-file"
    assert table.transfer("internet_per_gb") == 0.09
    assert found.missing == ["transition_in_per_1k of GLACIER_IR"]


def test_aws_a_usage_type_is_no_key_without_its_operation():
    classes = aws.parse(s3_offer().done()).classes
    assert classes["GLACIER"]["restore_request_per_1k"] == 0.06
    assert classes["GLACIER"]["transition_in_per_1k"] == 0.036
    assert classes["DEEP_ARCHIVE"]["restore_request_per_1k"] == 0.12
    assert classes["DEEP_ARCHIVE"]["transition_in_per_1k"] == 0.07
    assert classes["GLACIER"]["retrieval_per_gb"] == 0.012
    assert classes["DEEP_ARCHIVE"]["retrieval_per_gb"] == 0.024
    assert classes["GLACIER"]["put_per_1k"] == 0.036


def test_aws_one_usage_type_and_operation_at_two_prices_is_refused():
    offer = s3_offer().requests("Requests-SIA-Tier1", "0.00002")
    with pytest.raises(FeedError, match=r"Requests-SIA-Tier1: 1e-05, 2e-05"):
        aws.parse(offer.done())


def test_aws_deep_archive_is_not_the_price_of_its_staging_area():
    classes = aws.parse(s3_offer().done()).classes
    assert classes["DEEP_ARCHIVE"]["storage_per_gb_month"] == 0.0018
    without = s3_offer().done()
    without["products"] = {
        sku: product
        for sku, product in without["products"].items()
        if "INT-DAA" not in product["attributes"]["usagetype"]
    }
    found = aws.parse(without)
    assert "storage_per_gb_month of DEEP_ARCHIVE" in found.missing
    assert "storage_per_gb_month" not in found.classes["DEEP_ARCHIVE"]


@pytest.mark.parametrize("prefix", ["", "USE2-", "EU-", "APS8-"])
def test_aws_the_regions_prefix_is_read_off_the_file(prefix):
    classes = aws.parse(s3_offer(prefix).done()).classes
    assert classes["STANDARD"]["storage_per_gb_month"] == 0.0245


def test_aws_usage_types_of_other_products_end_alike_and_do_not_count():
    offer = s3_offer("USW2-")
    for product in ("Tables", "Vectors", "Files", "Annotation"):
        offer.gb(f"{product}-TimedStorage-ByteHrs", "0.0265")
        offer.requests(f"{product}-Requests-Tier1", "0.9")
    offer.gb("TimedStorage-ByteHrs", "0.02415", volumeType="Overhead", operation="INTAAOverhead")
    classes = aws.parse(offer.done()).classes
    assert classes["STANDARD"]["storage_per_gb_month"] == 0.0245
    assert classes["STANDARD"]["put_per_1k"] == 0.0054


def test_aws_the_first_band_counts_wherever_it_stands_and_a_single_one_may_not_say_so():
    classes = aws.parse(s3_offer().done()).classes
    assert classes["STANDARD"]["storage_per_gb_month"] == 0.0245
    offer = s3_offer().done()
    for terms in offer["terms"]["OnDemand"].values():
        for term in terms.values():
            if len(term["priceDimensions"]) == 1:
                next(iter(term["priceDimensions"].values())).pop("beginRange")
    assert aws.parse(offer).classes == classes


def test_aws_egress_is_no_free_tier_and_no_local_zone():
    assert aws.parse(s3_offer().done(), transfer_offer()).network == {"internet_per_gb": 0.09}
    with pytest.raises(FeedError, match="no price from EU"):
        aws.parse(s3_offer().done(), Offer().done())


def test_aws_a_price_in_another_unit_is_refused():
    offer = s3_offer()
    offer.add("Retrieval-SIA", ("0", "0.00001"), unit="MB", operation="")
    with pytest.raises(FeedError, match="'MB'"):
        aws.parse(offer.done())


def test_aws_a_file_of_something_else_is_refused():
    with pytest.raises(FeedError, match="no AmazonS3 offer file"):
        aws.parse(transfer_offer())


def azure_row(sku, meter, price, unit="10K", **changes):
    return {
        "currencyCode": "USD", "tierMinimumUnits": 0.0, "retailPrice": price, "unitPrice": price,
        "armRegionName": "eastus", "location": "US East", "meterName": meter, "skuName": sku,
        "effectiveStartDate": "2026-08-01T00:00:00Z", "productName": azure.PRODUCT,
        "serviceName": "Storage", "unitOfMeasure": unit, "type": "Consumption", **changes,
    }  # fmt: skip


def azure_rows():
    return [
        azure_row("Hot LRS", "Hot LRS Data Stored", 0.0208, "1 GB/Month"),
        azure_row("Hot LRS", "Hot LRS Data Stored", 0.019968, "1 GB/Month", tierMinimumUnits=51200),
        azure_row("Hot LRS", "Hot LRS Write Operations", 0.05),
        azure_row("Hot LRS", "Hot Read Operations", 0.004),
        azure_row("Hot LRS", "All Other Operations", 0.004),
        azure_row("Hot GRS", "Hot GRS Write Operations", 0.1),
        azure_row("Cool LRS", "Cool LRS Data Stored", 0.0152, "1 GB/Month"),
        azure_row("Cool LRS", "Cool LRS Write Operations", 0.1),
        azure_row("Cool LRS", "Cool Read Operations", 0.01),
        azure_row("Cool LRS", "Cool Data Retrieval", 0.01, "1 GB"),
        azure_row("Archive LRS", "Archive LRS Data Stored", 0.00099, "1 GB/Month"),
        azure_row("Archive LRS", "Archive LRS Write Operations", 0.1),
        azure_row("Archive LRS", "Archive Read Operations", 5.0),
        azure_row("Archive LRS", "Archive Priority Read Operations", 50.0),
        azure_row("Archive LRS", "Archive Data Retrieval", 0.02, "1 GB"),
        azure_row("Archive LRS", "Archive Priority Data Retrieval", 0.1, "1 GB"),
    ]


def test_azure_operations_are_priced_by_ten_thousand():
    classes = azure.parse(azure_rows(), "eastus").classes
    assert classes["Hot"]["put_per_1k"] == 0.005
    assert classes["Cool"]["get_per_1k"] == 0.001
    assert classes["Cool"]["transition_in_per_1k"] == classes["Cool"]["put_per_1k"] == 0.01
    assert classes["Hot"]["retrieval_per_gb"] == 0


def test_azure_the_same_meter_of_another_product_does_not_count():
    rows = azure_rows() + [
        {**row, "productName": product, "retailPrice": 9.0}
        for row in azure_rows()
        for product in ("Files v2", "Blob Storage", "Azure Data Lake Storage Gen2")
    ]
    assert azure.parse(rows, "eastus").classes["Hot"]["storage_per_gb_month"] == 0.0208


def test_azure_priority_is_another_meter():
    archive = azure.parse(azure_rows(), "eastus").classes["Archive"]
    assert archive["get_per_1k"] == 0.5
    assert archive["retrieval_per_gb"] == 0.02


def test_azure_bands_regions_redundancies_and_reservations_do_not_count():
    rows = azure_rows()
    rows += [
        azure_row("Hot LRS", "Hot LRS Data Stored", 0.5, "1 GB/Month", armRegionName="westus"),
        azure_row("Hot LRS", "Hot LRS Data Stored", 13.0, "100 TB/Month", type="Reservation"),
        azure_row("Hot LRS", "Hot LRS Data Stored", 0.01, "1 GB/Month", type="DevTestConsumption"),
    ]
    assert azure.parse(rows, "eastus").classes["Hot"]["storage_per_gb_month"] == 0.0208


def test_azure_some_meters_are_priced_by_the_hour():
    rows = azure_rows()
    rows[0] = azure_row("Hot LRS", "Hot LRS Data Stored", 0.0000285, "1 GiB/Hour")
    stored = azure.parse(rows, "eastus").classes["Hot"]["storage_per_gb_month"]
    assert stored == pytest.approx(0.0208, rel=1e-3)


def test_azure_a_tier_that_the_region_lacks_stays_unknown_and_a_missing_meter_is_named():
    rows = [row for row in azure_rows() if row["meterName"] != "Cool Data Retrieval"]
    found = azure.parse(rows, "eastus")
    assert "Cold" not in found.classes
    assert found.missing == ["retrieval_per_gb of Cool"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"unitOfMeasure": "1 Hour"}, "1 Hour"),
        ({"currencyCode": "EUR"}, "EUR"),
        ({"retailPrice": 0.03}, "several prices"),
    ],
)
def test_azure_what_is_not_understood_is_refused(changes, words):
    extra = {**azure_rows()[0], **changes}
    with pytest.raises(FeedError, match=words):
        azure.parse([*azure_rows(), extra], "eastus")


def test_azure_a_region_without_rows_is_refused():
    with pytest.raises(FeedError, match="nowhere"):
        azure.parse(azure_rows(), "nowhere")


def gcp_sku(description, group, *bands, unit="GiBy.mo", where="us-central1", **changes):
    return {
        "description": description,
        "category": {"resourceFamily": "Storage", "resourceGroup": group},
        "serviceRegions": [where],
        "pricingInfo": [
            {
                "effectiveTime": "2026-09-20T10:00:00Z",
                "pricingExpression": {
                    "usageUnit": unit,
                    "tieredRates": [
                        {
                            "startUsageAmount": start,
                            "unitPrice": {"currencyCode": "USD", "units": "0", "nanos": nanos},
                        }
                        for start, nanos in bands
                    ],
                },
            }
        ],
        **changes,
    }


def gcp_skus():
    operations = {"Standard": (5000, 400), "Nearline": (10000, 1000), "Coldline": (20000, 10000)}
    skus = [
        gcp_sku("Standard Storage US Regional", "RegionalStorage", (0, 0), (5, 20_000_000)),
        gcp_sku("Standard Storage Iowa Dual-region", "RegionalStorage", (0, 22_000_000)),
        gcp_sku("Nearline Storage Iowa", "NearlineStorage", (0, 10_000_000)),
        gcp_sku("Nearline Storage Iowa (Early Delete)", "NearlineStorage", (0, 333_333)),
        gcp_sku("Nearline Storage Belgium", "NearlineStorage", (0, 10_500_000), where="europe-w1"),
        gcp_sku("Coldline Storage Iowa", "ColdlineStorage", (0, 4_000_000)),
        gcp_sku("Archive Storage Iowa", "ArchiveStorage", (0, 1_644), unit="GiBy.h"),
        gcp_sku("Nearline Data Retrieval", "NearlineOps", (0, 10_000_000), unit="GiBy"),
        gcp_sku("Coldline Data Retrieval", "ColdlineOps", (0, 20_000_000), unit="GiBy"),
        gcp_sku("Archive Data Retrieval", "ArchiveOps", (0, 50_000_000), unit="GiBy"),
        gcp_sku(
            "Regional Standard Tagging Class A Operations", "RegionalOps", (0, 9_999),
            unit="count", where="global",
        ),
    ]  # fmt: skip
    for word, (first, second) in operations.items():
        for kind, nanos in (("A", first), ("B", second)):
            skus.append(
                gcp_sku(
                    f"Regional {word} Class {kind} Operations", "RegionalOps",
                    (0, 0), (5000, nanos), unit="count", where="global",
                )
            )  # fmt: skip
    return skus


def test_gcs_a_free_allowance_is_not_the_price_and_operations_are_counted_singly():
    found = gcs.parse(gcp_skus(), "us-central1")
    assert found.classes["STANDARD"]["storage_per_gb_month"] == 0.02
    assert found.classes["STANDARD"]["put_per_1k"] == 0.005
    assert found.classes["NEARLINE"]["get_per_1k"] == 0.001
    assert found.classes["COLDLINE"]["transition_in_per_1k"] == 0.02
    assert found.as_of == "2026-09-20"
    assert found.missing == ["put_per_1k of ARCHIVE", "get_per_1k of ARCHIVE"]


def test_gcs_early_deletion_other_regions_and_dual_regions_do_not_count():
    classes = gcs.parse(gcp_skus(), "us-central1").classes
    assert classes["NEARLINE"]["storage_per_gb_month"] == 0.01
    assert classes["NEARLINE"]["retrieval_per_gb"] == 0.01


def test_gcs_a_price_by_the_hour_becomes_one_by_the_month():
    classes = gcs.parse(gcp_skus(), "us-central1").classes
    assert classes["ARCHIVE"]["storage_per_gb_month"] == pytest.approx(0.0012, rel=1e-3)


def test_gcs_the_newest_price_counts():
    skus = gcp_skus()
    old = copy.deepcopy(skus[5]["pricingInfo"][0])
    old["effectiveTime"] = "2020-01-01T00:00:00Z"
    old["pricingExpression"]["tieredRates"][0]["unitPrice"]["nanos"] = 7_000_000
    skus[5]["pricingInfo"].append(old)
    assert gcs.parse(skus, "us-central1").classes["COLDLINE"]["storage_per_gb_month"] == 0.004


@pytest.mark.parametrize(
    ("sku", "words"),
    [
        (gcp_sku("Coldline Storage Iowa", "ColdlineStorage", (0, 5_000_000)), "several prices"),
        (gcp_sku("Coldline Storage Iowa", "ColdlineStorage", (0, 1), unit="TiBy.y"), "TiBy.y"),
    ],
)
def test_gcs_what_is_not_understood_is_refused(sku, words):
    with pytest.raises(FeedError, match=words):
        gcs.parse([*gcp_skus(), sku], "us-central1")


def test_gcs_a_region_without_skus_is_refused():
    with pytest.raises(FeedError, match="nowhere"):
        gcs.parse(gcp_skus(), "nowhere")
