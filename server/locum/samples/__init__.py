"""Sample projects that Locum shows itself on. Holds no secret: values are made up when a sample is written."""
