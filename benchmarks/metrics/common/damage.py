"""Which holes are cut into held-out images, and how often they are filled."""

IMAGES = 100  # held-out ones that are damaged, at most
DRAWS = 5  # fillings of each
HIT = 0.3  # share of pixels that salt and pepper fall on

DAMAGE = {  # in the order of the evidence: a part of columns' names, what a page calls it, and what is hidden
    "centre": ("Centre", "the middle half of rows and columns"),
    "lower_half": ("Lower half", "the lower half of the rows"),
    "rectangle": ("Rectangle", "a rectangle anywhere, each side by lot a quarter to three quarters of the image's"),
    "salt_pepper": ("Salt and pepper", f"{HIT:.0%} of the pixels by lot, known to be black or white by chance"),
}
