"""``python -m mqttws`` is the command ``mqttws``."""

import sys

from mqttws.cli import main

if __name__ == "__main__":
    sys.exit(main())
