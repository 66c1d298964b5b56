"""CallPrivacy. Loading it loads the jobs' application, so that every process sends to the same broker."""

from callprivacy.celery import app as celery_app
