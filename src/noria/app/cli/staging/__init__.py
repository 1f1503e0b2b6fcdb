"""The commands of a challenger: `noria release shadow|canary|watch|end`."""
