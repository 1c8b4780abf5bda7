# Asks the Kubernetes API for /api once, with the official Python client as it is
# configured in a pod. It prints the body and, in a line of its own, the status of
# the answer, or else fails with the client's error. Its argument is how many
# seconds it waits.
import sys

from kubernetes import client, config

try:
    config.load_incluster_config()
    configuration = client.Configuration.get_default_copy()
    configuration.retries = False
    try:
        answer = client.ApiClient(configuration).call_api(
            "/api", "GET", auth_settings=["BearerToken"], _preload_content=False,
            _return_http_data_only=True, _request_timeout=int(sys.argv[1]))
        status, body = answer.status, answer.data
    except client.exceptions.ApiException as error:
        if not error.status:
            raise
        status, body = error.status, error.body
    print(body.decode(errors="replace"), status, sep="\n")
except Exception as error:
    sys.exit(f"{type(error).__name__}: {error}")
