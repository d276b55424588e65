"""How English pages write times: day first, 24 hours, always with the zone. Read by Django's ``FORMAT_MODULE_PATH``."""

DATE_FORMAT = "j M Y"
DATETIME_FORMAT = "j M Y H:i:s e"
SHORT_DATE_FORMAT = "Y-m-d"
SHORT_DATETIME_FORMAT = "Y-m-d H:i:s"
