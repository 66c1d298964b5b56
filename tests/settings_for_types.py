"""The settings as the type checker and the migrations' check read them: with values that open nothing."""

import importlib
import sys

from callprivacy.lib import env

env.fill_with_nothing()
sys.modules[__name__] = importlib.import_module("callprivacy.settings")
