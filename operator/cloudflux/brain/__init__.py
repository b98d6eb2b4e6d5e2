"""The deciding: prices, costs, forecast and choice. Pure: values in, values out."""
