#!/usr/bin/env python
"""The operator's door: every command of PaymentOps starts here."""

import os
import sys

from django.core.management import execute_from_command_line

from paymentops.local import commandline

if __name__ == "__main__":
    execute_from_command_line(commandline.prepare(sys.argv, os.environ))
