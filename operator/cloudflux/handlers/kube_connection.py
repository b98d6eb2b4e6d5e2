"""Where the Kubernetes API is and how it is spoken to: from a kubeconfig or from within."""

import os
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from kubernetes.aio import config
from kubernetes.aio.client import Configuration

from cloudflux.errors import ConfigurationError
from cloudflux.settings import Settings


async def load_configuration(settings: Settings) -> Configuration:
    """Build the client's configuration from the named kubeconfig, or from within the cluster.

    The user's own default kubeconfig is never read: naming it must be a decision.
    """
    configuration = Configuration()
    if settings.kubeconfig is not None:
        if not settings.kubeconfig.is_file():
            raise ConfigurationError(f"{settings.kubeconfig} is not a file; check --kubeconfig")
        try:
            await config.load_kube_config(
                config_file=str(settings.kubeconfig),
                context=settings.kube_context,
                client_configuration=configuration,
                persist_config=False,
            )
        except config.ConfigException as error:
            raise ConfigurationError(f"{settings.kubeconfig} can't be used: {error}") from error
    elif os.environ.get("KUBERNETES_SERVICE_HOST"):
        config.load_incluster_config(client_configuration=configuration)
    else:
        raise ConfigurationError(
            "no cluster is named: pass --kubeconfig FILE (the default kubeconfig is never used)"
        )
    return configuration


def is_proxied(url: str) -> bool:
    """Whether the environment names a proxy for this URL."""
    split = urlsplit(url)
    named = getproxies().get(split.scheme) or getproxies().get("all")
    return bool(named) and not proxy_bypass(split.netloc)
