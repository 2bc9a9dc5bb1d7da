"""The images' health check: exit code 0 when the service of this container answers `/readyz`.

The address is the service's own setting, so that the check follows a changed `HEALTH_PORT`.
"""

import http.client
import os
import sys

TIMEOUT_SECONDS = 4


def main() -> int:
    """Ask once; print what was answered, for `docker inspect` to show."""
    port = int(os.environ.get("HEALTH_PORT") or "9100")
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        said = answer.read().decode(errors="replace").strip()
    except OSError as error:
        said = f"port {port} does not answer: {error}"
        status = 0
    else:
        status = answer.status
    finally:
        connection.close()
    sys.stdout.write(said + "\n")
    return 0 if status == http.HTTPStatus.OK else 1


if __name__ == "__main__":
    sys.exit(main())
