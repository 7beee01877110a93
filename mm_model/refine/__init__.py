"""Refiners over any finished clip: the face drawn again large, and the whole clip in windows"""
