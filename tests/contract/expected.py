"""Tests of the suite that a server is known to fail, and why.

The suite runs unchanged over every server: a test listed here must fail (strictly), and
`test_server_faults` proves each reason on the server itself. Both go red when it does right.
"""

_FAKE_GCS_CONTEXTS = "fake-gcs-server drops object contexts, our tags; the store says so"

EXPECTED_FAILURES: dict[str, dict[str, str]] = {
    "fakegcs": {
        "test_delete_only_the_version": "fake-gcs-server ignores conditions on deletions",
        "test_metadata_headers_and_tags_travel": _FAKE_GCS_CONTEXTS,
        "test_change_class_keeps_everything": _FAKE_GCS_CONTEXTS,
        "test_change_class_twice_and_back": (
            "fake-gcs-server's rewrite drops the storage class; the store says so"
        ),
    },
}
"""By name of the rig, then of the test."""
