"""Measure the speech of a voice: intelligibility, speaker similarity, distortion."""
